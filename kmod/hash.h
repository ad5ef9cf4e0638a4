/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hash for what is asked for every frame. Both words have to be mixed with a
 * secret before: then two pairs of words give the same no more often than by
 * chance, whatever addresses have in common. A sum of products does not do that:
 * words which differ in their upper bits alone cancel each other.
 */
#ifndef _MACKEEP_HASH_H
#define _MACKEEP_HASH_H

#include <linux/etherdevice.h> /* get_unaligned(), wherever that is */
#include <linux/math64.h>

/* Both halves of the product, folded into one word. */
static __always_inline u64 mackeep_hash(u64 a, u64 b)
{
#ifdef CONFIG_X86_64
	u64 high;

	/* For its type of 128 bits the compiler would set up a stack frame. */
	asm ("mulq %2" : "+a" (a), "=d" (high) : "rm" (b) : "cc");
	return a ^ high;
#else
	return (a * b) ^ mul_u64_u64_shr(a, b, 64);
#endif
}

/* The same for the two addresses of an IPv6 packet, 32 bytes */
static __always_inline u64 mackeep_hash6(const u8 *addrs, u64 a, u64 b, u64 c,
					 u64 d)
{
	return mackeep_hash(get_unaligned((u64 *)addrs) ^ a,
			    get_unaligned((u64 *)(addrs + 8)) ^ b) +
	       mackeep_hash(get_unaligned((u64 *)(addrs + 16)) ^ c,
			    get_unaligned((u64 *)(addrs + 24)) ^ d);
}

#endif /* _MACKEEP_HASH_H */
