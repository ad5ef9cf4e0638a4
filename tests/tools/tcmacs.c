// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcmacs: what one would write for tc(8) instead of MACKEEP, to compare with.
 *
 *   tcmacs FILE SADDR DADDR SPORT DPORT SMAC DMAC
 *
 * Loads an eBPF program that looks UDP and TCP packets of the addresses' family
 * up in an LRU hash, by addresses, ports and protocol, and writes the two MACs
 * that it finds; enters the UDP flow given; and pins the program at FILE, for
 *   tc filter add dev br0 egress protocol ip bpf da object-pinned FILE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLOWS	65536

/* As the program builds it, for either family. */
struct key {
	uint8_t addrs[32];		/* source, then destination */
	uint16_t sport, dport;
	uint32_t protocol;
};

struct macs {
	uint8_t dst[ETH_ALEN];
	uint8_t src[ETH_ALEN];
};

static void die(const char *what)
{
	fprintf(stderr, "tcmacs: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr, const char *what)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	if (ret < 0)
		die(what);
	return ret;
}

/* --- instructions -------------------------------------------------------- */

static struct bpf_insn prog[64];
static unsigned int prog_len, jumps[8], jump_count;

static void emit(uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	prog[prog_len++] = (struct bpf_insn){ code, dst, src, off, imm };
}

static void load(uint8_t width, uint8_t dst, uint8_t src, int16_t off)
{
	emit(BPF_LDX | BPF_MEM | width, dst, src, off, 0);
}

static void store(uint8_t width, uint8_t dst, int16_t off, uint8_t src)
{
	emit(BPF_STX | BPF_MEM | width, dst, src, off, 0);
}

static void move(uint8_t dst, uint8_t src)
{
	emit(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void add(uint8_t dst, int32_t imm)
{
	emit(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm);
}

/* A jump to the end */
static void leave_if(uint8_t code, uint8_t dst, uint8_t src, int32_t imm)
{
	jumps[jump_count++] = prog_len;
	emit(BPF_JMP | code, dst, src, 0, imm);
}

static void assemble(int map, int v6, unsigned int key_len)
{
	const int ip = sizeof(struct ether_header);
	const int addrs = ip + (v6 ? 8 : 12), ports = ip + (v6 ? 40 : 20);
	const int addrs_len = v6 ? 32 : 8, key = -(int)key_len;
	unsigned int i;

	/* r7: the frame, of which all of the headers are there */
	load(BPF_W, 7, 1, offsetof(struct __sk_buff, data));
	load(BPF_W, 3, 1, offsetof(struct __sk_buff, data_end));
	move(2, 7);
	add(2, ports + 4);
	leave_if(BPF_JGT | BPF_X, 2, 3, 0);
	if (!v6) {
		load(BPF_B, 2, 7, ip);
		leave_if(BPF_JNE | BPF_K, 2, 0, 0x45);
	}

	for (i = 0; i < (unsigned int)addrs_len; i += 4) {
		load(BPF_W, 2, 7, addrs + i);
		store(BPF_W, 10, key + i, 2);
	}
	load(BPF_W, 2, 7, ports);
	store(BPF_W, 10, key + addrs_len, 2);
	load(BPF_B, 2, 7, ip + (v6 ? 6 : 9));
	store(BPF_W, 10, key + addrs_len + 4, 2);

	emit(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map);
	emit(0, 0, 0, 0, 0);
	move(2, 10);
	add(2, key);
	emit(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	leave_if(BPF_JEQ | BPF_K, 0, 0, 0);

	load(BPF_W, 1, 0, 0);
	load(BPF_W, 2, 0, 4);
	load(BPF_W, 3, 0, 8);
	store(BPF_W, 7, 0, 1);
	store(BPF_W, 7, 4, 2);
	store(BPF_W, 7, 8, 3);

	for (i = 0; i < jump_count; i++)
		prog[jumps[i]].off = prog_len - jumps[i] - 1;
	emit(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0); /* TC_ACT_OK */
	emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* ------------------------------------------------------------------------- */

static int load_prog(void)
{
	static char log[65536];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.insns = (uintptr_t)prog,
		.insn_cnt = prog_len,
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0) {
		fputs(log, stderr);
		die("program");
	}
	return fd;
}

static void parse_mac(uint8_t *mac, const char *text)
{
	const struct ether_addr *addr = ether_aton(text);

	if (!addr) {
		fprintf(stderr, "tcmacs: %s: no MAC address\n", text);
		exit(2);
	}
	memcpy(mac, addr, ETH_ALEN);
}

int main(int argc, char **argv)
{
	union bpf_attr create = { .map_type = BPF_MAP_TYPE_LRU_HASH },
		       update = { .flags = BPF_ANY }, pin = {};
	unsigned int addr_len, key_len;
	struct { uint32_t word[10]; } packed;
	struct key key = {};
	struct macs macs;
	int v6;

	if (argc != 8) {
		fputs("usage: tcmacs FILE SADDR DADDR SPORT DPORT SMAC DMAC\n",
		      stderr);
		return 2;
	}
	v6 = !!strchr(argv[2], ':');
	addr_len = v6 ? 16 : 4;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, argv[2], key.addrs) != 1 ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, argv[3],
		      key.addrs + addr_len) != 1) {
		fputs("tcmacs: two addresses of one family\n", stderr);
		return 2;
	}
	key.sport = htons(atoi(argv[4]));
	key.dport = htons(atoi(argv[5]));
	key.protocol = IPPROTO_UDP;
	parse_mac(macs.src, argv[6]);
	parse_mac(macs.dst, argv[7]);

	/* No gap behind short addresses */
	key_len = 2 * addr_len + sizeof(key) - sizeof(key.addrs);
	memcpy(&packed, key.addrs, 2 * addr_len);
	memcpy((uint8_t *)&packed + 2 * addr_len, &key.sport,
	       sizeof(key) - sizeof(key.addrs));

	create.key_size = key_len;
	create.value_size = sizeof(macs);
	create.max_entries = FLOWS;
	update.map_fd = sys_bpf(BPF_MAP_CREATE, &create, "map");
	update.key = (uintptr_t)&packed;
	update.value = (uintptr_t)&macs;
	sys_bpf(BPF_MAP_UPDATE_ELEM, &update, "entry");

	assemble(update.map_fd, v6, key_len);
	pin.pathname = (uintptr_t)argv[1];
	pin.bpf_fd = load_prog();
	sys_bpf(BPF_OBJ_PIN, &pin, argv[1]);
	return 0;
}
