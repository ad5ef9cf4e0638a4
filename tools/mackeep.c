// SPDX-License-Identifier: GPL-2.0-only
/* The commands of mackeep(8) */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/mackeep.h>

#include "args.h"
#include "commands.h"
#include "numbers.h"
#include "options.h"
#include "say.h"

static const struct command commands[] = {
	{ "list", LIST, cmd_list, "list the flows that are kept, with their MACs" },
	{ "monitor", MONITOR, cmd_monitor, "show what happens to them, as it happens" },
	{ "pairs", PAIRS, cmd_pairs, "list the pair cache" },
	{ "flush", FLUSH, cmd_flush, "forget MACs: of a station, a device, or all" },
	{ "stat", STAT, cmd_stat, "show the counters and what each means" },
	{ "services", SERVICES, cmd_services, "list, add, set, del: which proxy takes what" },
	{ "policy", POLICY, cmd_policy, "show, set, reset: the options of flows without a rule" },
	{ "silence", SILENCE, cmd_silence, "list, add, del: what keeps the box's own frames in" },
	{ "up", UP, cmd_up, "set up a bridge for a transparent proxy" },
	{ "down", DOWN, cmd_down, "take that away again" },
	{ "repair", REPAIR, cmd_repair, "put back what others have taken away of it" },
	{ "bypass", BYPASS, cmd_bypass, "send what is new past the proxy, for maintenance" },
	{ "exempt", EXEMPT, cmd_exempt, "add, del, list, load: who goes past the proxy" },
	{ "follow-link", FOLLOW, cmd_follow_link,
	  "take ports down when another loses its carrier" },
	{ "reload", RELOAD, cmd_reload, "swap the kernel module under traffic" },
	{ "check", CHECK, cmd_check, "look for what is wrong, and how to mend it" },
};

#define COMMANDS	(sizeof(commands) / sizeof(*commands))

static void usage_all(void)
{
	unsigned int i;

	puts("Usage: mackeep [-n NETNS] COMMAND [OPTION...]\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].help);
	puts("\n\"mackeep COMMAND --help\" tells the options of each; see mackeep(8).");
}

int main(int argc, char **argv)
{
	struct args args = {
		.zone = -1, .fwmark = FWMARK, .table = TABLE, .fail = -1,
		.bypass = -1, .settle = -1, .drain = -1,
		.hook_timeout = HOOK_TIMEOUT, .hold = HOLD, .wait = WAIT,
	};
	unsigned int i;
	int status;

	screen();
	/* -n may come before the command, as with ip(8), or behind it. */
	while (argc > 1 && (!strcmp(argv[1], "-n") || !strcmp(argv[1], "--netns"))) {
		if (argc == 2)
			die(BAD_ARGS, "%s: it needs a value; see mackeep --help",
			    argv[1]);
		args.netns = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 2) {
		usage_all();
		return BAD_ARGS;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		usage_all();
		return DONE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		options_versions();
		return DONE;
	}
	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			break;
	if (i == COMMANDS)
		die(BAD_ARGS, "%s: it is no command; see mackeep --help", argv[1]);

	command_name = commands[i].name;
	args.words = argv + 1;
	options_parse(&args, &commands[i], argc - 1, argv + 1);
	if (!terminal)
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);

	status = commands[i].run(&args);
	if (fflush(stdout) || ferror(stdout))
		die(FAILED, "standard output: %s", strerror(errno));
	return status;
}
