# SPDX-License-Identifier: GPL-2.0-only
#
# Which rules with -j MACKEEP iptables takes, and which it refuses. The format is
# that of iptables' extensions/*.t, plus the words that stderr or the kernel log
# must have for a refusal; see tests/lib/xtables-run.

*mangle
:PREROUTING,OUTPUT
-j MACKEEP;=;OK
-j MACKEEP --orig-mark 0x1 --reply-mark 0x2/0xff;=;OK

:PREROUTING
-p tcp -m tcp --dport 443 -j MACKEEP;=;OK
-m mark --mark 0x1 -j MACKEEP --orig-mark 0x1;=;OK
-j MACKEEP --orig-mark 0x1;=;OK
-j MACKEEP --reply-mark 0x1;=;OK
-j MACKEEP --orig-mark 0x10/0xf0;=;OK
-j MACKEEP --orig-mark 0x80000000/0x80000000;=;OK
-j MACKEEP --orig-mark 0x5 --reply-mark 0x5;=;OK
-j MACKEEP --reply-mark 0x1/0x1 --orig-mark 0x2/0x2;-j MACKEEP --orig-mark 0x2/0x2 --reply-mark 0x1/0x1;OK

# a mark of 0 is not the same as no mark
-j MACKEEP --orig-mark 0;-j MACKEEP --orig-mark 0x0;OK
-j MACKEEP --reply-mark 0/1;-j MACKEEP --reply-mark 0x0/0x1;OK

# the same number in other words
-j MACKEEP --orig-mark 16;-j MACKEEP --orig-mark 0x10;OK
-j MACKEEP --orig-mark 010;-j MACKEEP --orig-mark 0x8;OK
-j MACKEEP --orig-mark 0XfF;-j MACKEEP --orig-mark 0xff;OK
-j MACKEEP --orig-mark=1/017;-j MACKEEP --orig-mark 0x1/0xf;OK
-j MACKEEP --orig-mark 0x0000000000000000001;-j MACKEEP --orig-mark 0x1;OK
-j MACKEEP --orig-mark 4294967295;-j MACKEEP --orig-mark 0xffffffff;OK
-j MACKEEP --orig-mark 037777777777;-j MACKEEP --orig-mark 0xffffffff;OK
-j MACKEEP --orig-mark 0xffffffff/0xffffffff;-j MACKEEP --orig-mark 0xffffffff;OK

# words: the first of each is the default and is not saved
-j MACKEEP --keep both;-j MACKEEP;OK
-j MACKEEP --keep src;=;OK
-j MACKEEP --keep dst;=;OK
-j MACKEEP --refresh last;-j MACKEEP;OK
-j MACKEEP --refresh first;=;OK
-j MACKEEP --strict;=;OK
-j MACKEEP --next-hop learned;-j MACKEEP;OK
-j MACKEEP --next-hop route;=;OK
-j MACKEEP --last-hop --next-hop route --refresh first;-j MACKEEP --refresh first --next-hop route --last-hop;OK
-j MACKEEP --last-hop;=;OK
-j MACKEEP --last-hop --keep dst;-j MACKEEP --keep dst --last-hop;OK
-j MACKEEP --strict --last-hop --refresh first --keep dst --orig-mark 1;-j MACKEEP --orig-mark 0x1 --keep dst --refresh first --last-hop --strict;OK

# Errors that the plugin finds: once for each of the two binaries and families.
=iptables-legacy,ip6tables-nft

# not a number
-j MACKEEP --orig-mark abc;;FAIL;--orig-mark "abc": the value is not a number
-j MACKEEP --reply-mark abc;;FAIL;--reply-mark "abc": the value is not a number
-j MACKEEP --orig-mark 1x;;FAIL;--orig-mark "1x": the value is not a number from "x" on
-j MACKEEP --orig-mark 0x;;FAIL;--orig-mark "0x": the value is not a number from "x" on
-j MACKEEP --orig-mark 08;;FAIL;--orig-mark "08": the value is not a number from "8" on
-j MACKEEP --orig-mark 0b1;;FAIL;--orig-mark "0b1": the value is not a number from "b1" on
-j MACKEEP --orig-mark 1,2;;FAIL;--orig-mark "1,2": the value is not a number from ",2" on
-j MACKEEP --orig-mark " 1";;FAIL;--orig-mark " 1": the value is not a number
-j MACKEEP --orig-mark "1 ";;FAIL;--orig-mark "1 ": the value is not a number from " " on
-j MACKEEP --orig-mark +1;;FAIL;--orig-mark "+1": the value is not a number
-j MACKEEP --orig-mark -1;;FAIL;--orig-mark "-1": the value is not a number
-j MACKEEP --orig-mark /1;;FAIL;--orig-mark "/1": the value is not a number
-j MACKEEP --orig-mark 1/;;FAIL;--orig-mark "1/": the mask is not a number
-j MACKEEP --orig-mark 1/-1;;FAIL;--orig-mark "1/-1": the mask is not a number
-j MACKEEP --orig-mark 1/0xg;;FAIL;--orig-mark "1/0xg": the mask is not a number from "xg" on
-j MACKEEP --reply-mark 1/1/1;;FAIL;--reply-mark "1/1/1": "/1" follows the mask

# over 32 bits
-j MACKEEP --orig-mark 0x100000000;;FAIL;--orig-mark "0x100000000": the value does not fit in 32 bits
-j MACKEEP --orig-mark 4294967296;;FAIL;--orig-mark "4294967296": the value does not fit in 32 bits
-j MACKEEP --orig-mark 0x10000000000000001;;FAIL;--orig-mark "0x10000000000000001": the value does not fit in 32 bits
-j MACKEEP --reply-mark 1/0x1ffffffff;;FAIL;--reply-mark "1/0x1ffffffff": the mask does not fit in 32 bits

# masks with which the mark always matches, or never
-j MACKEEP --orig-mark 0/0;;FAIL;--orig-mark "0/0": mask 0 compares no bit
-j MACKEEP --reply-mark 1/0x0;;FAIL;--reply-mark "1/0x0": mask 0 compares no bit
-j MACKEEP --orig-mark 0x11/0xf0;;FAIL;give 0x10/0xf0 or 0x11/0xf1
-j MACKEEP --reply-mark 0xffffffff/0x7fffffff;;FAIL;give 0x7fffffff/0x7fffffff or 0xffffffff/0xffffffff

# options
-j MACKEEP --orig-mark;;FAIL;option "--orig-mark" requires an argument
-j MACKEEP --orig-mark "";;FAIL;--orig-mark needs a mark but is followed by ""
-j MACKEEP --orig-mark --reply-mark 1;;FAIL;--orig-mark needs a mark but is followed by "--reply-mark"
-j MACKEEP --orig-mark 1 --orig-mark 1;;FAIL;--orig-mark is given twice
-j MACKEEP --reply-mark 1 --orig-mark 1 --reply-mark 2;;FAIL;--reply-mark is given twice
-j MACKEEP ! --orig-mark 1;;FAIL;--orig-mark cannot be inverted
-j MACKEEP ! --reply-mark 1;;FAIL;--reply-mark cannot be inverted
-j MACKEEP --mark 1;;FAIL;unknown option "--mark"

# words
-j MACKEEP --keep dest;;FAIL;--keep "dest" is not known: give "both" or "src" or "dst"
-j MACKEEP --keep "";;FAIL;--keep "" is not known
-j MACKEEP --keep SRC;;FAIL;--keep "SRC" is not known
-j MACKEEP --keep src,dst;;FAIL;--keep "src,dst" is not known
-j MACKEEP --keep src --keep dst;;FAIL;--keep is given twice
-j MACKEEP --keep both --keep both;;FAIL;--keep is given twice
-j MACKEEP ! --keep src;;FAIL;--keep cannot be inverted
-j MACKEEP --keep;;FAIL;option "--keep" requires an argument
-j MACKEEP --refresh always;;FAIL;--refresh "always" is not known: give "last" or "first"
-j MACKEEP --refresh first --refresh last;;FAIL;--refresh is given twice
-j MACKEEP ! --refresh first;;FAIL;--refresh cannot be inverted
-j MACKEEP --next-hop gateway;;FAIL;--next-hop "gateway" is not known: give "learned" or "route"
-j MACKEEP --next-hop route --next-hop route;;FAIL;--next-hop is given twice
-j MACKEEP ! --next-hop route;;FAIL;--next-hop cannot be inverted
-j MACKEEP --last-hop --keep src;;FAIL;--last-hop sends to the MAC address that --keep src says to take from the route
-j MACKEEP --keep src --last-hop;;FAIL;leave one of them out
-j MACKEEP --last-hop --last-hop;;FAIL;--last-hop is given twice
-j MACKEEP ! --last-hop;;FAIL;--last-hop cannot be inverted
-j MACKEEP --strict --strict;;FAIL;--strict is given twice
-j MACKEEP ! --strict;;FAIL;--strict cannot be inverted

# Errors that the kernel finds
=

# chains that it is not for
:INPUT,FORWARD,POSTROUTING
-j MACKEEP;;FAIL;Invalid argument;PREROUTING

# tables that it is not for, in chains that it is for
*filter
:INPUT,FORWARD,OUTPUT
-j MACKEEP;;FAIL;Invalid argument;mangle
*nat
:PREROUTING,OUTPUT
-j MACKEEP;;FAIL;Invalid argument;mangle
*raw
:PREROUTING,OUTPUT
-j MACKEEP;;FAIL;Invalid argument;mangle

# user chains, which are called from such chains or others. nft_compat refuses
# without a message in the kernel log.
*mangle
%iptables -t mangle -N kept
%iptables -t mangle -N outer
%iptables -t mangle -A outer -j kept
:kept
-j MACKEEP;=;OK
-j MACKEEP --orig-mark 0x1;=;OK
%iptables -t mangle -A kept -j MACKEEP
:PREROUTING,OUTPUT
-j kept;=;OK
-j outer;=;OK
:INPUT,FORWARD,POSTROUTING
-j kept;;FAIL;Invalid argument;legacy:PREROUTING
-j outer;;FAIL;Invalid argument;legacy:PREROUTING
%iptables -t mangle -N late
%iptables -t mangle -A FORWARD -j late
:late
-j MACKEEP;;FAIL;Invalid argument;legacy:PREROUTING
