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
 *
 *   tcmacs -l FILE 4|6
 *
 * The same, but by the two addresses, which is what a client's frames and the
 * proxy's connection to the server have in common; and pins at FILE-in what learns
 * them from a port's frames, for
 *   tc filter add dev port0 ingress protocol ip bpf da object-pinned FILE-in
 * Each frame is looked up, and what is new is entered in both directions.
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

static struct bpf_insn prog[128];
static unsigned int prog_len;

struct jumps {
	unsigned int from[8], count;
};

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

static void jump(struct jumps *jumps, uint8_t code, uint8_t dst, uint8_t src,
		 int32_t imm)
{
	jumps->from[jumps->count++] = prog_len;
	emit(BPF_JMP | code, dst, src, 0, imm);
}

static void land(const struct jumps *jumps)
{
	unsigned int i;

	for (i = 0; i < jumps->count; i++)
		prog[jumps->from[i]].off = prog_len - jumps->from[i] - 1;
}

static void leave(void)
{
	emit(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0); /* TC_ACT_OK */
	emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void call(int map, int32_t func, int key)
{
	emit(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map);
	emit(0, 0, 0, 0, 0);
	move(2, 10);
	add(2, key);
	emit(BPF_JMP | BPF_CALL, 0, 0, 0, func);
}

/* Where things are in a frame */
struct shape {
	int ip, addrs, addr_len, ports, protocol;
};

static struct shape shape_of(int v6)
{
	const int ip = sizeof(struct ether_header);

	return (struct shape){
		.ip = ip,
		.addrs = ip + (v6 ? 8 : 12),
		.addr_len = v6 ? 16 : 4,
		.ports = ip + (v6 ? 40 : 20),
		.protocol = ip + (v6 ? 6 : 9),
	};
}

/* r7: the frame, of which all of the headers are there */
static void begin(int v6, struct jumps *end)
{
	const struct shape at = shape_of(v6);

	prog_len = 0;
	load(BPF_W, 7, 1, offsetof(struct __sk_buff, data));
	load(BPF_W, 3, 1, offsetof(struct __sk_buff, data_end));
	move(2, 7);
	add(2, at.ports + 4);
	jump(end, BPF_JGT | BPF_X, 2, 3, 0);
	if (!v6) {
		load(BPF_B, 2, 7, at.ip);
		jump(end, BPF_JNE | BPF_K, 2, 0, 0x45);
	}
}

/* Copies from the frame to the stack. */
static void put(uint8_t width, int to, int from, int len)
{
	const int step = width == BPF_W ? 4 : 2;
	int i;

	for (i = 0; i < len; i += step) {
		load(width, 2, 7, from + i);
		store(width, 10, to + i, 2);
	}
}

static void assemble_egress(int map, int v6, int key_len)
{
	const struct shape at = shape_of(v6);
	const int key = -key_len, addrs_len = 2 * at.addr_len;
	struct jumps end = {};

	begin(v6, &end);
	put(BPF_W, key, at.addrs, addrs_len);
	if (key_len > addrs_len) {
		put(BPF_W, key + addrs_len, at.ports, 4);
		load(BPF_B, 2, 7, at.protocol);
		store(BPF_W, 10, key + addrs_len + 4, 2);
	}
	call(map, BPF_FUNC_map_lookup_elem, key);
	jump(&end, BPF_JEQ | BPF_K, 0, 0, 0);

	load(BPF_W, 1, 0, 0);
	load(BPF_W, 2, 0, 4);
	load(BPF_W, 3, 0, 8);
	store(BPF_W, 7, 0, 1);
	store(BPF_W, 7, 4, 2);
	store(BPF_W, 7, 8, 3);
	land(&end);
	leave();
}

static void enter(int map, int key, int value)
{
	move(3, 10);
	add(3, value);
	emit(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, BPF_ANY);
	call(map, BPF_FUNC_map_update_elem, key);
}

static void assemble_ingress(int map, int v6)
{
	const struct shape at = shape_of(v6);
	const int key = -2 * at.addr_len, value = key - 16;
	struct jumps news = {}, end = {};
	int i;

	begin(v6, &end);
	put(BPF_W, key, at.addrs, 2 * at.addr_len);
	call(map, BPF_FUNC_map_lookup_elem, key);
	jump(&news, BPF_JEQ | BPF_K, 0, 0, 0);
	for (i = 0; i < 2 * ETH_ALEN; i += 4) {
		load(BPF_W, 1, 7, i);
		load(BPF_W, 2, 0, i);
		jump(&news, BPF_JNE | BPF_X, 1, 2, 0);
	}
	jump(&end, BPF_JA, 0, 0, 0);

	land(&news);
	put(BPF_W, value, 0, 2 * ETH_ALEN);
	enter(map, key, value);
	put(BPF_W, key, at.addrs + at.addr_len, at.addr_len);
	put(BPF_W, key + at.addr_len, at.addrs, at.addr_len);
	put(BPF_H, value, ETH_ALEN, ETH_ALEN);
	put(BPF_H, value + ETH_ALEN, 0, ETH_ALEN);
	enter(map, key, value);
	land(&end);
	leave();
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

static void pin(int fd, const char *file, const char *suffix)
{
	union bpf_attr attr = { .bpf_fd = fd };
	char path[256];

	snprintf(path, sizeof(path), "%s%s", file, suffix);
	attr.pathname = (uintptr_t)path;
	sys_bpf(BPF_OBJ_PIN, &attr, path);
}

static int new_map(int key_len)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_LRU_HASH,
		.key_size = key_len,
		.value_size = sizeof(struct macs),
		.max_entries = FLOWS,
	};

	return sys_bpf(BPF_MAP_CREATE, &attr, "map");
}

static void learned(const char *file, int v6)
{
	const int key_len = 2 * shape_of(v6).addr_len, map = new_map(key_len);

	assemble_egress(map, v6, key_len);
	pin(load_prog(), file, "");
	assemble_ingress(map, v6);
	pin(load_prog(), file, "-in");
}

static void entered(char **argv)
{
	const int v6 = !!strchr(argv[2], ':'), addr_len = v6 ? 16 : 4;
	union bpf_attr update = { .flags = BPF_ANY };
	struct { uint32_t word[10]; } packed;
	struct key key = {};
	struct macs macs;
	int key_len;

	if (inet_pton(v6 ? AF_INET6 : AF_INET, argv[2], key.addrs) != 1 ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, argv[3],
		      key.addrs + addr_len) != 1) {
		fputs("tcmacs: two addresses of one family\n", stderr);
		exit(2);
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

	update.map_fd = new_map(key_len);
	update.key = (uintptr_t)&packed;
	update.value = (uintptr_t)&macs;
	sys_bpf(BPF_MAP_UPDATE_ELEM, &update, "entry");
	assemble_egress(update.map_fd, v6, key_len);
	pin(load_prog(), argv[1], "");
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-l")) {
		learned(argv[2], !strcmp(argv[3], "6"));
	} else if (argc == 8) {
		entered(argv);
	} else {
		fputs("usage: tcmacs FILE SADDR DADDR SPORT DPORT SMAC DMAC\n"
		      "       tcmacs -l FILE 4|6\n", stderr);
		return 2;
	}
	return 0;
}
