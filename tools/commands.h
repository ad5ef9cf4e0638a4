/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands, each in the file of its name; each returns the exit status. */
#ifndef _TOOLS_COMMANDS_H
#define _TOOLS_COMMANDS_H

struct args;

int cmd_list(struct args *args);
int cmd_monitor(struct args *args);
int cmd_pairs(struct args *args);
int cmd_flush(struct args *args);		/* pairs.c */
int cmd_services(struct args *args);
int cmd_policy(struct args *args);
int cmd_silence(struct args *args);
int cmd_stat(struct args *args);
int cmd_up(struct args *args);
int cmd_down(struct args *args);		/* up.c */
int cmd_bypass(struct args *args);
int cmd_follow_link(struct args *args);
int cmd_reload(struct args *args);
int cmd_exempt(struct args *args);
int cmd_check(struct args *args);
int cmd_repair(struct args *args);

#endif /* _TOOLS_COMMANDS_H */
