/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers that up sets, check looks for and --help tells. */
#ifndef _TOOLS_NUMBERS_H
#define _TOOLS_NUMBERS_H

/*
 * The module's default of mackeep_lift_mark. Each service has a mark of its own:
 * its number is in the bits that the mask leaves out.
 */
#define LIFT_MARK	0x4d4b
#define LIFT_SHIFT	16
#define LIFT_SLOTS	256
#define LIFT_MASK	0xff00ffff
#define LIFT_MARKS	"0x4d4b/0xff00ffff"
#define LIFT_SLOT(mark)	((mark) >> LIFT_SHIFT & (LIFT_SLOTS - 1))

/* The mark and the table of the policy route, unless options give others */
#define FWMARK		0x4d4c
#define TABLE		19788

/* Of the default route by the first bridge: behind any other default route */
#define METRIC		19788

/* What a bridge has with --feed-neigh, to be among the devices with an address */
#define FEED_ADDRESS	"127.77.75.1/32"

/* The bit of group_fwd_mask for 802.1X frames, 01:80:c2:00:00:03 */
#define EAPOL		0x8

/* Seconds that a hook may run */
#define HOOK_TIMEOUT	30

/* Seconds that carriers have to last, and that one may take to come */
#define HOLD		1
#define WAIT		10

/* A number above as text */
#define NUMBER_TEXT(number)	NUMBER_TEXT_(number)
#define NUMBER_TEXT_(number)	#number

#endif /* _TOOLS_NUMBERS_H */
