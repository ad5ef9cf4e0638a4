/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's file, as modprobe finds it, and the module that is loaded. */
#ifndef _TOOLS_KO_H
#define _TOOLS_KO_H

#include <stdbool.h>

#define MODULE		"xt_MACKEEP"

struct module_file {
	char *path;		/* NULL: there is none for this kernel */
	char *signer;		/* NULL: it has no signature */
	char *srcversion;	/* NULL: it cannot be read; likewise */
	char *version;		/* likewise */
	char *vermagic;
};

struct module_file ko_file(void);
void ko_file_free(struct module_file *file);
/* The kernel takes only modules that are signed. */
bool ko_only_signed(void);

bool ko_loaded(void);
/* Whether the module that is loaded is that of the file, which is whole */
bool ko_same(const struct module_file *file);
/* How many hold the module that is loaded */
unsigned int ko_users(void);

/* Both return 0 or an errno. Unloading waits for users to go, up to 10 seconds. */
int ko_unload(void);
int ko_load(void);

#endif /* _TOOLS_KO_H */
