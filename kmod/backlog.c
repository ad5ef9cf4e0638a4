// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a service's listener has room. One that takes nothing is seen from who
 * waits longest in its queue: while that is the same for half a second, nothing was
 * taken.
 *
 * Frames ask in any context, many at a time. A queue is written down under the
 * service's lock, once a SYN that finds somebody waiting.
 */
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/tcp.h>

#include "backlog.h"
#include "net.h"
#include "service.h"

#define MACKEEP_BACKLOG_STUCK	(HZ / 2)

/*
 * Who waits longest in its queue, and id, a number that tells him from the one
 * that may have the same memory after him; NULL: nobody does.
 */
static const void *mackeep_backlog_head(struct sock *sk, u32 *id)
{
	const struct request_sock *req;
	const struct udphdr *uh;
	struct sk_buff *skb;

	if (sk->sk_protocol == IPPROTO_TCP) {
		req = READ_ONCE(inet_csk(sk)->icsk_accept_queue.rskq_accept_head);
		/* Requests stay what they are until RCU lets go. */
		*id = req ? READ_ONCE(tcp_rsk(req)->snt_isn) : 0;
		return req;
	}
	if (skb_queue_empty_lockless(&sk->sk_receive_queue))
		return NULL;
	spin_lock_bh(&sk->sk_receive_queue.lock);
	skb = skb_peek(&sk->sk_receive_queue);
	if (skb) {
		uh = udp_hdr(skb);
		*id = (__force u32)uh->source << 16 | (__force u32)uh->check;
	}
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	return skb;
}

/*
 * Under lock. What is written down of a listener's queue. A new one takes the place of
 * one where nobody waits, or else of the one that was asked for longest ago: its
 * listener may be gone.
 */
static struct mackeep_service_queue *
mackeep_backlog_queue(struct mackeep_service *service, const struct sock *sk)
{
	struct mackeep_service_queue *queue, *place = service->queues;
	unsigned int i;

	for (i = 0; i < MACKEEP_SERVICE_QUEUES; i++) {
		queue = &service->queues[i];
		if (queue->sk == sk)
			return queue;
		if (place->head &&
		    (!queue->head || time_before(queue->asked, place->asked)))
			place = queue;
	}
	WRITE_ONCE(place->head, NULL);
	WRITE_ONCE(place->sk, sk);
	return place;
}

static void mackeep_backlog_nobody(struct mackeep_service *service,
				   const struct sock *sk)
{
	struct mackeep_service_queue *queue;
	unsigned int i;

	for (i = 0; i < MACKEEP_SERVICE_QUEUES; i++) {
		queue = &service->queues[i];
		if (READ_ONCE(queue->sk) == sk && READ_ONCE(queue->head))
			WRITE_ONCE(queue->head, NULL);
	}
}

/*
 * Under rcu_read_lock(). Whether nothing was taken for a while, though somebody
 * waits. Who is taken leaves room that the next one may get.
 */
static bool mackeep_backlog_stuck(struct mackeep_service *service,
				  struct sock *sk)
{
	struct mackeep_service_queue *queue;
	const void *head;
	bool stuck = false;
	u32 id = 0;

	head = mackeep_backlog_head(sk, &id);
	if (likely(!head)) {
		mackeep_backlog_nobody(service, sk);
		return false;
	}
	spin_lock_bh(&service->lock);
	queue = mackeep_backlog_queue(service, sk);
	queue->asked = jiffies;
	if (queue->head == head && queue->id == id) {
		stuck = time_after(jiffies,
				   queue->since + MACKEEP_BACKLOG_STUCK);
	} else {
		WRITE_ONCE(queue->head, head);
		queue->id = id;
		queue->since = jiffies;
	}
	spin_unlock_bh(&service->lock);
	return stuck;
}

/*
 * Whether the stack would drop a SYN for want of room in the queue of handshakes.
 * Without cookies its last quarter is for who is known to be there.
 */
static bool mackeep_backlog_synq_full(const struct mackeep_net *mn,
				      const struct sock *sk)
{
	int most = READ_ONCE(mn->net->ipv4.sysctl_max_syn_backlog);

	if (READ_ONCE(mn->net->ipv4.sysctl_tcp_syncookies))
		return false;
	return inet_csk_reqsk_queue_is_full(sk) ||
	       most - inet_csk_reqsk_queue_len(sk) < most >> 2;
}

/* Under rcu_read_lock(). Whether a listener has no room, or does not take what waits. */
bool mackeep_backlog_full(const struct mackeep_net *mn,
			  struct mackeep_service *service, struct sock *sk)
{
	if (service->proto == IPPROTO_TCP ?
		    sk_acceptq_is_full(sk) || mackeep_backlog_synq_full(mn, sk) :
		    atomic_read(&sk->sk_rmem_alloc) >= READ_ONCE(sk->sk_rcvbuf))
		return true;
	return mackeep_backlog_stuck(service, sk);
}
