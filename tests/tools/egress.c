// SPDX-License-Identifier: GPL-2.0-only
/*
 * egress: a BPF program at the egress hook of a control group.
 *
 *   egress count|drop|cn CGROUP
 *
 * Attaches it, says "ready", and at SIGTERM prints "packets N bytes N": what
 * the program saw of the sockets in CGROUP, and let pass or dropped; with "cn"
 * it lets pass and tells the senders of congestion. Gone with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct counts {
	uint64_t packets, bytes;
};

static char verifier_log[16384];

static void die(const char *what)
{
	fprintf(stderr, "egress: %s: %s\n%s", what, strerror(errno), verifier_log);
	exit(1);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int make_map(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(struct counts);
	attr.max_entries = 1;
	return bpf(BPF_MAP_CREATE, &attr);
}

#ifndef BPF_ATOMIC /* its name in older headers */
#define BPF_ATOMIC BPF_XADD
#endif

#define INSN(c, d, s, o, i) \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }

static int load(int map, int verdict)
{
	const struct bpf_insn prog[] = {
		/* r6 = skb; key 0 on the stack; r0 = its value */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0),
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 4, 0),
		/* packets += 1, bytes += skb->len */
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD),
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_6, 0, 0),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 8, BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, verdict),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
	attr.expected_attach_type = BPF_CGROUP_INET_EGRESS;
	attr.insns = (uintptr_t)prog;
	attr.insn_cnt = sizeof(prog) / sizeof(prog[0]);
	attr.license = (uintptr_t)"GPL";
	attr.log_buf = (uintptr_t)verifier_log;
	attr.log_size = sizeof(verifier_log);
	attr.log_level = 1;
	return bpf(BPF_PROG_LOAD, &attr);
}

int main(int argc, char **argv)
{
	int map, prog, group, sig, verdict;
	struct counts counts;
	union bpf_attr attr;
	uint32_t key = 0;
	sigset_t set;

	static const char *const verdicts[] = { "drop", "count", [3] = "cn" };

	for (verdict = 3; argc == 3 && verdict >= 0; verdict--)
		if (verdicts[verdict] && !strcmp(argv[1], verdicts[verdict]))
			break;
	if (argc != 3 || verdict < 0) {
		fputs("usage: egress count|drop|cn CGROUP\n", stderr);
		return 2;
	}

	map = make_map();
	if (map < 0)
		die("map");
	prog = load(map, verdict);
	if (prog < 0)
		die("program");
	group = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (group < 0)
		die(argv[2]);

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.target_fd = group;
	attr.link_create.attach_type = BPF_CGROUP_INET_EGRESS;
	if (bpf(BPF_LINK_CREATE, &attr) < 0)
		die("attach");

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &sig);

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&counts;
	if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
		die("lookup");
	printf("packets %llu bytes %llu\n", (unsigned long long)counts.packets,
	       (unsigned long long)counts.bytes);
	return 0;
}
