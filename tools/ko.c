// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "ko.h"
#include "say.h"
#include "text.h"

#define SYSFS		"/sys/module/" MODULE
#define UNLOAD_TRIES	1000		/* each after 10 ms */

/* libkmod reads its configuration and index anew each time. */
static struct kmod_ctx *open_module(struct kmod_module **module)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	if (!ctx)
		out_of_memory();
	kmod_set_log_priority(ctx, 0);
	if (kmod_module_new_from_name(ctx, MODULE, module) < 0)
		out_of_memory();
	return ctx;
}

static void close_module(struct kmod_ctx *ctx, struct kmod_module *module)
{
	kmod_module_unref(module);
	kmod_unref(ctx);
}

struct module_file ko_file(void)
{
	struct module_file file = { 0 };
	struct kmod_list *info = NULL, *one;
	struct kmod_module *module;
	struct kmod_ctx *ctx = open_module(&module);
	const char *path = kmod_module_get_path(module);
	const char *key, *value;

	if (path) {
		file.path = format("%s", path);
		kmod_module_get_info(module, &info);
	}
	kmod_list_foreach(one, info) {
		key = kmod_module_info_get_key(one);
		value = kmod_module_info_get_value(one);
		if (!strcmp(key, "signer"))
			file.signer = format("%s", value);
		else if (!strcmp(key, "srcversion"))
			file.srcversion = format("%s", value);
		else if (!strcmp(key, "version"))
			file.version = format("%s", value);
		else if (!strcmp(key, "vermagic"))
			file.vermagic = format("%s", value);
	}
	kmod_module_info_free_list(info);
	close_module(ctx, module);
	return file;
}

void ko_file_free(struct module_file *file)
{
	free(file->path);
	free(file->signer);
	free(file->srcversion);
	free(file->version);
	free(file->vermagic);
}

/* True if a line has the text; false as well if the file cannot be read. */
static bool file_has(const char *path, const char *text)
{
	char line[256];

	return file_line(path, line, sizeof(line)) && strstr(line, text);
}

bool ko_only_signed(void)
{
	const char *lockdown = "/sys/kernel/security/lockdown";

	return file_has("/sys/module/module/parameters/sig_enforce", "Y") ||
	       file_has(lockdown, "[integrity]") ||
	       file_has(lockdown, "[confidentiality]");
}

bool ko_loaded(void)
{
	return file_has(SYSFS "/initstate", "live");
}

static bool is_loaded(const char *attribute, const char *value)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), SYSFS "/%s", attribute);
	return file_line(path, text, sizeof(text)) && !strcmp(text, value);
}

bool ko_same(const struct module_file *file)
{
	return is_loaded("srcversion", file->srcversion) &&
	       is_loaded("version", file->version);
}

unsigned int ko_users(void)
{
	char text[32];

	return file_line(SYSFS "/refcnt", text, sizeof(text)) ?
	       strtoul(text, NULL, 10) : 0;
}

int ko_unload(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct kmod_module *module;
	struct kmod_ctx *ctx = open_module(&module);
	int tries, err = 0;

	/* Rules are freed a moment after they have gone. */
	for (tries = 0; tries < UNLOAD_TRIES; tries++) {
		err = ko_users() ? -EBUSY :
		      kmod_module_remove_module(module, KMOD_REMOVE_NOWAIT);
		if (!err || (err != -EBUSY && err != -EAGAIN))
			break;
		nanosleep(&pause, NULL);
	}
	close_module(ctx, module);
	return -err;
}

/* As modprobe does, with its configuration */
int ko_load(void)
{
	struct kmod_module *module;
	struct kmod_ctx *ctx = open_module(&module);
	int err = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL,
						  NULL);

	close_module(ctx, module);
	if (!err && !ko_loaded())
		err = -ENOENT;
	return err < 0 ? -err : err ? EPERM : 0;
}
