// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services: whether a proxy takes the frames that are marked for it. Without
 * services all marked frames are lifted; a proxy that has died then takes the
 * network with it. With one, a connection is lifted only if the proxy can take
 * it, and goes past the proxy if not: each by itself, from its first packet on,
 * so that nothing that works is broken, now or when the proxy is back.
 *
 * What a TCP connection began as is seen from its sockets. A UDP flow has none
 * that would tell: those that go past the proxy are remembered in a table, see
 * past.h; a flow that finds no room there is counted as tablefull. A service that
 * is put into a live network does not know which flows were there before it: until
 * it is settled it takes all of them for older, and remembers them.
 *
 * Frames ask in any context, many at a time. Services come and go under
 * mackeep_net_mutex, and are freed after RCU. A probe asks as a frame would, in
 * process context.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_tproxy.h>
#include <net/tcp.h>

#include "backlog.h"
#include "compat.h"
#include "hash.h"
#include "net.h"
#include "past.h"
#include "rehearse.h"
#include "service.h"
#include "sock.h"

static u64 mackeep_service_secret[4] __read_mostly;

/* What of a frame is asked for; all of it is there. */
struct mackeep_service_frame {
	struct sk_buff *skb;
	const struct net_device *in;
	unsigned int at;		/* of the transport header */
	__be16 sport, dport;
	bool v6;
	bool syn;			/* TCP: opens a connection */
	const struct tcphdr *th;	/* TCP: the header, or a copy of it */
	struct tcphdr _th;
};

struct mackeep_service *mackeep_service_find(const struct mackeep_net *mn,
					     const struct sk_buff *skb)
{
	unsigned int at;

	if (likely(!READ_ONCE(mn->services.count)))
		return NULL;
	return mackeep_service_of(&mn->services, skb->mark,
				  mackeep_sock_proto(skb, &at));
}

/* False: the header is not whole. */
static bool mackeep_service_parse(struct sk_buff *skb,
				  struct mackeep_service_frame *frame)
{
	int proto = mackeep_sock_proto(skb, &frame->at);
	const struct tcphdr *th;

	th = skb_header_pointer(skb, frame->at,
				proto == IPPROTO_TCP ? sizeof(*th) :
						       sizeof(struct udphdr),
				&frame->_th);
	if (!th)
		return false;
	frame->skb = skb;
	frame->v6 = skb->protocol == htons(ETH_P_IPV6);
	frame->sport = th->source;
	frame->dport = th->dest;
	if (proto != IPPROTO_TCP)
		return true;
	frame->th = th;
	frame->syn = th->syn && !th->ack;
	return true;
}

/* --- the listener ------------------------------------------------------------ */

/* As TPROXY finds it; without --on-ip that looks at skb->dev's addresses. */
static struct sock *
mackeep_service_lookup(const struct mackeep_net *mn,
		       const struct mackeep_service *service,
		       const struct mackeep_service_frame *frame,
		       const struct net_device *in)
{
	struct sk_buff *skb = frame->skb;
	struct net_device *dev = skb->dev;
	const struct in6_addr *laddr6 = NULL;
	__be32 laddr = 0;

	skb->dev = (struct net_device *)frame->in;
	if (frame->v6)
		laddr6 = nf_tproxy_laddr6(skb, &service->on6,
					  &ipv6_hdr(skb)->daddr);
	else
		laddr = nf_tproxy_laddr4(skb, service->on4,
					 ip_hdr(skb)->daddr);
	skb->dev = dev;

	if (frame->v6)
		return nf_tproxy_get_sock_v6(mn->net, skb, frame->at,
					     service->proto,
					     &ipv6_hdr(skb)->saddr, laddr6,
					     frame->sport,
					     htons(service->port), in,
					     NF_TPROXY_LOOKUP_LISTENER);
	return nf_tproxy_get_sock_v4(mn->net, skb, service->proto,
				     ip_hdr(skb)->saddr, laddr, frame->sport,
				     htons(service->port), in,
				     NF_TPROXY_LOOKUP_LISTENER);
}

static struct sock *
mackeep_service_listener(const struct mackeep_net *mn,
			 const struct mackeep_service *service,
			 const struct mackeep_service_frame *frame)
{
	const struct net_device *in = frame->in;
	struct sock *sk;

	sk = mackeep_service_lookup(mn, service, frame, in);
	if (!sk && netif_is_l3_slave(in)) {
		/* In a VRF sockets are bound to that. */
		in = l3mdev_master_dev_rcu(in);
		if (in)
			sk = mackeep_service_lookup(mn, service, frame, in);
	}
	if (sk && !inet_sk_transparent(sk)) {
		sock_gen_put(sk);
		return NULL;
	}
	return sk;
}

/*
 * Whether conntrack may soon have no room. A session takes two entries, and those
 * that are opening take their second one later; conntrack itself is alarmed at 95 %.
 */
static bool mackeep_service_table_full(const struct mackeep_net *mn)
{
	unsigned int most = READ_ONCE(nf_conntrack_max);

	return most && nf_conntrack_count(mn->net) >= most - most / 20;
}

/* What becomes of something new */
static u8 mackeep_service_state(const struct mackeep_net *mn,
				struct mackeep_service *service,
				const struct mackeep_service_frame *frame)
{
	u8 why = MACKEEP_SERVICE_OPEN;
	struct sock *sk;

	if (READ_ONCE(service->bypass))
		return MACKEEP_SERVICE_BYPASS;
	sk = mackeep_service_listener(mn, service, frame);
	if (!sk)
		return MACKEEP_SERVICE_NOLISTENER;
	if (mackeep_backlog_full(mn, service, sk))
		why = MACKEEP_SERVICE_BACKLOG;
	else if (mackeep_service_table_full(mn))
		why = MACKEEP_SERVICE_TABLEFULL;
	else if (unlikely(mackeep_service_settle(service) > 0))
		why = MACKEEP_SERVICE_SETTLING;
	sock_gen_put(sk);
	return why;
}

/* --- flows that are remembered -------------------------------------------------- */

static u64 mackeep_service_hash(const struct mackeep_service_frame *frame)
{
	const u8 *ip = skb_network_header(frame->skb);
	const u64 *secret = mackeep_service_secret;
	u64 ports = (__force u32)frame->sport << 16 |
		    (__force u32)frame->dport;

	ports = (ports | (u64)frame->in->ifindex << 32) ^ secret[1];
	if (frame->v6)
		return mackeep_hash6(ip + 8, secret[0], ports, secret[2],
				     secret[3]);
	return mackeep_hash(get_unaligned((u64 *)(ip + 12)) ^ secret[0], ports);
}

/* By what a flow that would be the proxy's is remembered: TCP and UDP apart */
static u64 mackeep_service_begun(const struct mackeep_service *service,
				 const struct mackeep_service_frame *frame)
{
	return mackeep_service_hash(frame) ^ (u64)service->proto << 40;
}

/* --- TCP ----------------------------------------------------------------------- */

/* Whether the frame ends a handshake that left no socket, but a cookie. */
static bool mackeep_service_cookie(const struct mackeep_net *mn,
				   const struct mackeep_service *service,
				   const struct mackeep_service_frame *frame)
{
	const struct tcphdr *th = frame->th;
	struct sock *sk;
	bool cookies;

	if (!th->ack || th->syn || th->rst)
		return false;
	if (!service->synproxy) {
		if (!READ_ONCE(mn->net->ipv4.sysctl_tcp_syncookies))
			return false;
		sk = mackeep_service_listener(mn, service, frame);
		if (!sk)
			return false;
		cookies = !tcp_synq_no_recent_overflow(sk);
		sock_gen_put(sk);
		if (!cookies)
			return false;
	}
	return frame->v6 ? nf_cookie_v6_check(ipv6_hdr(frame->skb), th) :
			   __cookie_v4_check(ip_hdr(frame->skb), th);
}

/* As below, of a connection that the proxy would have, or not */
static u8 mackeep_service_tcp_rehearse(const struct mackeep_net *mn,
				       const struct mackeep_service *service,
				       const struct mackeep_service_frame *frame,
				       u8 why)
{
	u64 hash = mackeep_service_begun(service, frame);
	u64 *begun = mn->services.rehearsal->begun;

	if (frame->syn)
		mackeep_past_del(begun, hash);
	else if (mackeep_past_has(begun, hash))
		return MACKEEP_SERVICE_OPEN;
	return why;
}

static u8 mackeep_service_tcp(const struct mackeep_net *mn,
			      struct mackeep_service *service,
			      const struct mackeep_service_frame *frame)
{
	u8 why = MACKEEP_SERVICE_MIDSTREAM;
	int state;

	if (frame->syn) {
		why = mackeep_service_state(mn, service, frame);
		if (why == MACKEEP_SERVICE_OPEN)
			return why;
	}
	if (unlikely(service->rehearse))
		return mackeep_service_tcp_rehearse(mn, service, frame, why);
	state = mackeep_sock_state(mn, frame->skb, frame->in);
	/* What has ended may begin anew, and not with the proxy. */
	if (state && !(frame->syn && state == TCP_TIME_WAIT))
		return MACKEEP_SERVICE_OPEN;
	if (frame->syn)
		mackeep_sock_forget(mn, frame->skb, frame->in, frame->sport,
				    frame->dport);
	else if (mackeep_service_cookie(mn, service, frame))
		return MACKEEP_SERVICE_OPEN;
	return why;
}

/* --- UDP ------------------------------------------------------------------------ */

/* Whether the proxy is there to end what it has begun. */
static bool mackeep_service_ends(const struct mackeep_net *mn,
				 const struct mackeep_service *service,
				 const struct mackeep_service_frame *frame)
{
	struct sock *sk = mackeep_service_listener(mn, service, frame);

	if (!sk)
		return mackeep_sock_find(mn, frame->skb, frame->in);
	sock_gen_put(sk);
	return mackeep_sock_kept(mn, frame->skb);
}

static u8 mackeep_service_udp(const struct mackeep_net *mn,
			      struct mackeep_service *service,
			      const struct mackeep_service_frame *frame)
{
	u64 hash = mackeep_service_hash(frame);
	u8 why;

	if (mackeep_past_has(mn->services.past, hash))
		return MACKEEP_SERVICE_MIDSTREAM;
	why = mackeep_service_state(mn, service, frame);
	if (why == MACKEEP_SERVICE_OPEN)
		return why;
	if (!service->rehearse && mackeep_service_ends(mn, service, frame))
		return MACKEEP_SERVICE_OPEN;
	if (!mackeep_past_add(mn->services.past, hash))
		return MACKEEP_SERVICE_TABLEFULL;
	return why;
}

/*
 * Under rcu_read_lock(). What becomes of a frame, as a MACKEEP_SERVICE_*; its IP
 * header is there. in: the device it would come in by.
 */
u8 mackeep_service_ask(struct mackeep_net *mn, struct mackeep_service *service,
		       struct sk_buff *skb, const struct net_device *in)
{
	struct mackeep_service_frame frame = { .in = in };

	if (!mackeep_service_parse(skb, &frame))
		return MACKEEP_SERVICE_MIDSTREAM;
	if (READ_ONCE(service->ifindex) != in->ifindex)
		WRITE_ONCE(service->ifindex, in->ifindex);
	if (service->proto == IPPROTO_TCP)
		return mackeep_service_tcp(mn, service, &frame);
	return mackeep_service_udp(mn, service, &frame);
}

/*
 * Under rcu_read_lock(). A frame that a service which rehearses would take; its IP
 * header is there. Where there is no room to remember its flow, that is not told.
 */
void mackeep_service_rehearse(struct mackeep_net *mn,
			      const struct mackeep_service *service,
			      struct sk_buff *skb, const struct net_device *in)
{
	struct mackeep_service_frame frame = { .in = in };
	u64 *begun = mn->services.rehearsal->begun;
	u64 hash;

	if (!mackeep_service_parse(skb, &frame))
		return;
	hash = mackeep_service_begun(service, &frame);
	if (!mackeep_past_has(begun, hash) && mackeep_past_add(begun, hash))
		mackeep_rehearse_flow(mn, service, skb, in);
}

/* --- coming and going ----------------------------------------------------------- */

/* Under mackeep_net_mutex */
struct mackeep_service *mackeep_service_get(struct mackeep_net *mn, u32 mark,
					    u8 proto)
{
	struct mackeep_service *service;

	lockdep_assert_held(&mackeep_net_mutex);

	list_for_each_entry(service, &mn->services.list, list)
		if (service->mark == mark && service->proto == proto)
			return service;
	return NULL;
}

/* -ENOSPC: there are as many as there may be. */
int mackeep_service_add(struct mackeep_net *mn,
			const struct mackeep_service *what)
{
	struct mackeep_services *services = &mn->services;
	struct mackeep_service *service;

	lockdep_assert_held(&mackeep_net_mutex);

	if (services->count >= MACKEEP_SERVICES_MAX)
		return -ENOSPC;
	if (what->proto == IPPROTO_UDP && !services->past) {
		services->past = kvcalloc(MACKEEP_PAST_WORDS, sizeof(u64),
					  GFP_KERNEL_ACCOUNT);
		if (!services->past)
			return -ENOMEM;
	}
	service = kmemdup(what, sizeof(*what), GFP_KERNEL_ACCOUNT);
	if (!service)
		return -ENOMEM;
	service->counts = alloc_percpu_gfp(struct mackeep_service_counts,
					   GFP_KERNEL_ACCOUNT);
	if (!service->counts)
		goto err_service;
	if (service->rehearse && mackeep_rehearse_start(mn))
		goto err_counts;
	/* No state: the first one is told. */
	memset(service->state, U8_MAX, sizeof(service->state));
	spin_lock_init(&service->lock);
	list_add_tail_rcu(&service->list, &services->list);
	WRITE_ONCE(services->count, services->count + 1);
	return 0;

err_counts:
	free_percpu(service->counts);
err_service:
	kfree(service);
	return -ENOMEM;
}

/* May sleep. */
void mackeep_service_del(struct mackeep_net *mn,
			 struct mackeep_service *service)
{
	lockdep_assert_held(&mackeep_net_mutex);

	list_del_rcu(&service->list);
	WRITE_ONCE(mn->services.count, mn->services.count - 1);
	synchronize_rcu();
	if (service->rehearse)
		mackeep_rehearse_stop(mn);
	free_percpu(service->counts);
	kfree(service);
}

void mackeep_service_sum(const struct mackeep_service *service,
			 struct mackeep_service_counts *sum)
{
	int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu)
		for (i = 0; i <= MACKEEP_SERVICE_MAX; i++)
			sum->frames[i] += READ_ONCE(per_cpu_ptr(service->counts,
								cpu)->frames[i]);
}

/*
 * Under mackeep_net_mutex. What would become of something new just now: asked
 * with a packet that nobody sent, to no address in particular.
 */
u8 mackeep_service_probe(struct mackeep_net *mn,
			 struct mackeep_service *service, struct sk_buff *skb,
			 bool v6)
{
	struct mackeep_service_frame frame = {
		.skb = skb,
		.v6 = v6,
		.at = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr),
	};
	struct tcphdr *th;
	u8 why;

	skb_trim(skb, 0);
	skb_reset_network_header(skb);
	skb_put_zero(skb, frame.at + sizeof(*th));
	if (v6) {
		skb->protocol = htons(ETH_P_IPV6);
		ipv6_hdr(skb)->version = 6;
		ipv6_hdr(skb)->nexthdr = service->proto;
	} else {
		skb->protocol = htons(ETH_P_IP);
		ip_hdr(skb)->version = 4;
		ip_hdr(skb)->ihl = sizeof(struct iphdr) / 4;
		ip_hdr(skb)->protocol = service->proto;
	}
	th = (struct tcphdr *)(skb->data + frame.at);
	th->doff = sizeof(*th) / 4;
	th->syn = 1;

	rcu_read_lock();
	frame.in = dev_get_by_index_rcu(mn->net, READ_ONCE(service->ifindex)) ?:
		   mn->net->loopback_dev;
	why = mackeep_service_state(mn, service, &frame);
	rcu_read_unlock();
	return why;
}

void mackeep_service_net_init(struct mackeep_net *mn)
{
	INIT_LIST_HEAD(&mn->services.list);
}

/* No packet may be in a hook any more. */
void mackeep_service_net_exit(struct mackeep_net *mn)
{
	struct mackeep_service *service, *next;

	mutex_lock(&mackeep_net_mutex);
	list_for_each_entry_safe(service, next, &mn->services.list, list)
		mackeep_service_del(mn, service);
	mutex_unlock(&mackeep_net_mutex);
	kvfree(mn->services.past);
}

void mackeep_service_init(void)
{
	get_random_bytes(mackeep_service_secret,
			 sizeof(mackeep_service_secret));
}
