// SPDX-License-Identifier: GPL-2.0-only
/*
 * xdpmeta: an XDP program that puts metadata in front of every frame.
 *
 *   xdpmeta IFACE
 *
 * Attaches it, says "ready", and lives until a signal; gone with the process.
 * The 32 bytes lie where others may want to keep something of their own, in
 * the headroom right before the Ethernet header. A frame without room for them
 * is dropped, so that what passes has them.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES	32

static char verifier_log[16384];

static int die(const char *what)
{
	fprintf(stderr, "xdpmeta: %s: %s\n%s", what, strerror(errno), verifier_log);
	return 1;
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

#define INSN(c, d, s, o, i) \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define STORE(offset) \
	INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_1, 0, (offset), 0x5a5a5a5a)

static int load(void)
{
	const struct bpf_insn prog[] = {
		/* r6 = ctx; r0 = bpf_xdp_adjust_meta(ctx, -BYTES) */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, -BYTES),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_xdp_adjust_meta),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 11, 0),
		/* r1 = data_meta, r2 = data */
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_6, 8, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_6, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_1, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, BYTES),
		INSN(BPF_JMP | BPF_JGT | BPF_X, BPF_REG_3, BPF_REG_2, 6, 0),
		STORE(0), STORE(8), STORE(16), STORE(24),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS),
		INSN(BPF_JMP | BPF_JA, 0, 0, 1, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_DROP),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
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
	union bpf_attr attr;
	int prog;

	if (argc != 2) {
		fputs("usage: xdpmeta IFACE\n", stderr);
		return 2;
	}
	prog = load();
	if (prog < 0)
		return die("program");

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = if_nametoindex(argv[1]);
	attr.link_create.attach_type = BPF_XDP;
	if (!attr.link_create.target_ifindex || bpf(BPF_LINK_CREATE, &attr) < 0)
		return die(argv[1]);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
