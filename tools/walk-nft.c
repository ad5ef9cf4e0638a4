// SPDX-License-Identifier: GPL-2.0-only
/* The way through rules of nft */
#include <netinet/in.h>
#include <string.h>

#include "nft.h"
#include "text.h"
#include "walk.h"

struct walk {
	json_t *ruleset;
	const struct packet *packet;
	struct fate fate;
};

/* --- what a rule asks for -------------------------------------------------------- */

/* A value that the packet has: a number or a word; neither: it cannot be told. */
struct value {
	enum match known;		/* NO: it has no such field */
	bool number;
	json_int_t n;
	const char *word;
	const char *other;		/* another word for it */
};

static struct value word_value(const char *word, const char *other)
{
	return (struct value){ .known = YES, .word = word, .other = other };
}

static struct value number_value(json_int_t n, const char *word)
{
	return (struct value){ .known = YES, .number = true, .n = n, .word = word };
}

static const char *proto_name(const struct packet *packet)
{
	return packet->proto == IPPROTO_TCP ? "tcp" : "udp";
}

static const char *family_name(const struct packet *packet)
{
	return packet->family == AF_INET6 ? "ip6" : "ip";
}

static struct value meta_value(const struct packet *packet, const char *key)
{
	if (!strcmp(key, packet->frame ? "ibrname" : "iifname") ||
	    (!strcmp(key, "iif") && !packet->frame))
		return word_value(packet->in, NULL);
	if (!packet->frame && (!strcmp(key, "oifname") || !strcmp(key, "oif")))
		return word_value(packet->out ?: "", NULL);
	if (!strcmp(key, "l4proto"))
		return number_value(packet->proto, proto_name(packet));
	if (!strcmp(key, "mark"))
		return number_value(packet->mark, NULL);
	if (!strcmp(key, "nfproto"))
		return word_value(packet->family == AF_INET6 ? "ipv6" : "ipv4",
				  NULL);
	if (!strcmp(key, "protocol"))
		return word_value(family_name(packet), NULL);
	if (!strcmp(key, "pkttype"))
		return word_value("host", "unicast");
	return (struct value){ .known = MAYBE };
}

static struct value payload_value(const struct packet *packet,
				  const json_t *payload)
{
	const char *protocol = json_get_text(payload, "protocol");
	const char *field = json_get_text(payload, "field");
	bool transport = !strcmp(protocol, "tcp") || !strcmp(protocol, "udp");

	if (transport && strcmp(protocol, proto_name(packet)))
		return (struct value){ .known = NO };
	if (transport || !strcmp(protocol, "th")) {
		if (!strcmp(field, "dport"))
			return number_value(packet->dport, NULL);
		if (!strcmp(field, "sport"))
			return number_value(packet->sport, NULL);
		return (struct value){ .known = MAYBE };
	}
	if (!strncmp(protocol, "icmp", 4) ||
	    (!strcmp(protocol, "ip") && packet->family == AF_INET6) ||
	    (!strcmp(protocol, "ip6") && packet->family != AF_INET6))
		return (struct value){ .known = NO };
	if (!strcmp(field, "protocol") || !strcmp(field, "nexthdr"))
		return number_value(packet->proto, proto_name(packet));
	if (!strcmp(protocol, "ether") && !strcmp(field, "type"))
		return word_value(family_name(packet), NULL);
	/* Of a station: none of this machine's */
	if (!strcmp(protocol, "ether") && !strcmp(field, "daddr"))
		return word_value("another", NULL);
	return (struct value){ .known = MAYBE };
}

static struct value value_of(const struct packet *packet, const json_t *left)
{
	const json_t *meta = json_object_get(left, "meta");
	const json_t *payload = json_object_get(left, "payload");
	const json_t *ct = json_object_get(left, "ct");
	const json_t *fib = json_object_get(left, "fib");
	const json_t *and = json_object_get(left, "&");
	struct value value = { .known = MAYBE };

	if (meta)
		return meta_value(packet, json_get_text(meta, "key"));
	if (payload)
		return payload_value(packet, payload);
	if (json_is(ct, "key", "state"))
		return word_value(packet->established ? "established" : "new",
				  NULL);
	if (json_is(fib, "result", "type"))
		return word_value("unicast", NULL);
	if (json_object_get(left, "socket"))
		return number_value(1, NULL);
	if (and) {
		value = value_of(packet, json_array_get(and, 0));
		value.n &= json_integer_value(json_array_get(and, 1));
		value.word = NULL;
	}
	return value;
}

static enum match match_value(const struct value *value, const json_t *right)
{
	const json_t *set = json_is_array(right) ? right :
						   json_object_get(right, "set");
	const json_t *range = json_object_get(right, "range"), *one;
	const char *word = json_string_value(right);
	enum match best = NO, match;
	size_t i;

	if (value->known != YES)
		return value->known;
	if (set) {
		json_array_foreach(set, i, one) {
			match = match_value(value, one);
			best = match > best ? match : best;
		}
		return best;
	}
	if (range)
		return match_if(value->number &&
				value->n >= json_integer_value(json_array_get(range, 0)) &&
				value->n <= json_integer_value(json_array_get(range, 1)));
	if (json_is_integer(right))
		return match_if(value->number &&
				value->n == json_integer_value(right));
	if (!word || *word == '@')
		return MAYBE;
	return match_if((value->word && match_device(word, value->word)) ||
			(value->other && !strcmp(word, value->other)));
}

/*
 * A packet with TPROXY's mark is routed to this machine, and so is an answer to it
 * that has the same mark: by that there is no way back to where it came from.
 */
static bool is_way_back(const json_t *match)
{
	const json_t *fib = json_object_get(json_object_get(match, "left"), "fib");
	const json_t *one;
	bool mark = false;
	size_t i;

	json_array_foreach(json_object_get(fib, "flags"), i, one)
		mark = mark || !strcmp(json_string_value(one) ?: "", "mark");
	return mark && json_is(fib, "result", "oif") &&
	       json_is_false(json_object_get(match, "right"));
}

static enum match match_match(const struct packet *packet, const json_t *match)
{
	const char *op = json_get_text(match, "op");
	struct value value;
	enum match found;

	if (is_way_back(match))
		return match_if(packet->mark && strcmp(op, "!="));
	value = value_of(packet, json_object_get(match, "left"));
	if (value.known == NO)
		return NO;
	if (strcmp(op, "==") && strcmp(op, "!=") && strcmp(op, "in"))
		return MAYBE;
	found = match_value(&value, json_object_get(match, "right"));
	return strcmp(op, "!=") ? found : match_not(found);
}

/* --- what it says ------------------------------------------------------------------ */

static enum verdict walk_chain(struct walk *walk, const json_t *chain,
			       unsigned int depth);

static const json_t *chain_named(const struct walk *walk, const json_t *beside,
				 const char *name)
{
	const json_t *one, *chain;
	size_t i;

	json_array_foreach(walk->ruleset, i, one) {
		chain = json_object_get(one, "chain");
		if (json_is(chain, "name", name) &&
		    json_is(chain, "family", json_get_text(beside, "family")) &&
		    json_is(chain, "table", json_get_text(beside, "table")))
			return chain;
	}
	return NULL;
}

static enum verdict walk_verdict(struct walk *walk, const json_t *chain,
				 const json_t *one, unsigned int depth)
{
	const json_t *jump = json_object_get(one, "jump");
	const json_t *go = json_object_get(one, "goto");
	enum verdict verdict;

	if (json_object_get(one, "drop") || json_object_get(one, "reject"))
		return DROPPED;
	if (json_object_get(one, "accept") || json_object_get(one, "queue"))
		return ACCEPTED;
	if (json_object_get(one, "return"))
		return RETURNS;
	if (!jump && !go)
		return GOES_ON;
	verdict = walk_chain(walk, chain_named(walk, chain,
					       json_get_text(jump ?: go, "target")),
			     depth + 1);
	if (verdict == RETURNS)
		verdict = GOES_ON;
	return verdict == GOES_ON && go ? RETURNS : verdict;
}

/* The elements of a map: pairs of a key and a verdict */
static const json_t *map_of(const struct walk *walk, const json_t *chain,
			    const json_t *data)
{
	const char *name = json_string_value(data);
	const json_t *one, *map;
	size_t i;

	if (!name)
		return json_object_get(data, "set");
	name += *name == '@';
	json_array_foreach(walk->ruleset, i, one) {
		map = json_object_get(one, "map");
		if (json_is(map, "name", name) &&
		    json_is(map, "table", json_get_text(chain, "table")) &&
		    json_is(map, "family", json_get_text(chain, "family")))
			return json_object_get(map, "elem");
	}
	return NULL;
}

static enum verdict walk_map(struct walk *walk, const json_t *chain,
			     const json_t *vmap, unsigned int depth)
{
	struct value value = value_of(walk->packet, json_object_get(vmap, "key"));
	const json_t *one;
	size_t i;

	json_array_foreach(map_of(walk, chain, json_object_get(vmap, "data")), i, one)
		if (match_value(&value, json_array_get(one, 0)) == YES)
			return walk_verdict(walk, chain, json_array_get(one, 1),
					    depth);
	return GOES_ON;
}

/* The module's helper is known by its type, under any name. */
static bool is_our_helper(const struct walk *walk, const json_t *chain,
			  const json_t *statement)
{
	const char *name = json_string_value(json_object_get(statement,
							     "ct helper"));
	const json_t *one, *helper;
	size_t i;

	if (!name)
		return false;
	json_array_foreach(walk->ruleset, i, one) {
		helper = json_object_get(one, "ct helper");
		if (json_is(helper, "name", name) &&
		    json_is(helper, "table", json_get_text(chain, "table")) &&
		    json_is(helper, "type", "mackeep"))
			return true;
	}
	return false;
}

static enum verdict walk_rule(struct walk *walk, const json_t *chain,
			      json_t *rule, unsigned int depth)
{
	enum match all = YES, match;
	enum verdict verdict;
	const json_t *one, *map;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, one) {
		match = YES;
		if (json_object_get(one, "match"))
			match = match_match(walk->packet,
					    json_object_get(one, "match"));
		else if (!json_is_object(one) || json_object_get(one, "xt") ||
			 json_object_get(one, "limit"))
			match = MAYBE;
		all = match < all ? match : all;
		if (all == NO)
			return GOES_ON;
		if (is_our_helper(walk, chain, one))
			walk->fate.kept = true;
		map = json_object_get(one, "vmap");
		verdict = map ? walk_map(walk, chain, map, depth) :
				walk_verdict(walk, chain, one, depth);
		if (all == YES && verdict != GOES_ON)
			return verdict;
	}
	return GOES_ON;
}

static bool is_in(const json_t *rule, const json_t *chain)
{
	return json_is(rule, "chain", json_get_text(chain, "name")) &&
	       json_is(rule, "table", json_get_text(chain, "table")) &&
	       json_is(rule, "family", json_get_text(chain, "family"));
}

static enum verdict walk_chain(struct walk *walk, const json_t *chain,
			       unsigned int depth)
{
	enum verdict verdict = GOES_ON;
	json_t *one, *rule;
	size_t i;

	if (!chain || depth > WALK_DEPTH)
		return GOES_ON;
	json_array_foreach(walk->ruleset, i, one) {
		rule = nft_rule(one);
		if (!rule || !is_in(rule, chain))
			continue;
		verdict = walk_rule(walk, chain, rule, depth);
		if (verdict != GOES_ON)
			break;
	}
	return verdict;
}

struct fate walk_nft(const struct probe *probe, const json_t *chain,
		     const struct packet *packet)
{
	struct walk walk = { .ruleset = probe->nft, .packet = packet };
	enum verdict verdict = walk_chain(&walk, chain, 0);

	walk.fate.dropped = verdict == DROPPED ||
		(verdict != ACCEPTED && json_is(chain, "policy", "drop"));
	return walk.fate;
}
