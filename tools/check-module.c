// SPDX-License-Identifier: GPL-2.0-only
/*
 * Findings about the kernel module: module, signature, version.
 *
 * A kernel that only takes signed modules gives the same error for one without a
 * signature and for one with an unknown key. The file and /proc/keys tell which.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/mackeep.h>

#include "checks.h"
#include "finding.h"
#include "ko.h"
#include "say.h"
#include "text.h"

/* DKMS signs with these, and makes them when there are none. */
#define MOK_KEY		"/var/lib/dkms/mok.key"
#define MOK_CERT	"/var/lib/dkms/mok.pub"
#define NEW_KEY		"mkdir -p /var/lib/dkms && openssl req -new -x509" \
			" -nodes -days 36500 -newkey rsa:2048" \
			" -subj '/CN=DKMS module signing key' -keyout " MOK_KEY \
			" -outform DER -out " MOK_CERT
#define SIGN_FILE	"build/scripts/sign-file sha256 " MOK_KEY " " MOK_CERT

/* True if a line has both texts; false as well if the file cannot be read. */
static bool file_says(const char *path, const char *text, const char *also)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	bool says = false;
	size_t size;

	while (file && !says && getline(&line, &size, file) > 0)
		says = strstr(line, text) && strstr(line, also);
	free(line);
	if (file)
		fclose(file);
	return says;
}

/* Only shim enrolls keys, and only UEFI starts shim. */
static char *enroll(void)
{
	if (access("/sys/firmware/efi", F_OK))
		return format("sed -Ei 's/ ?(module\\.sig_enforce|lockdown)(=[^ \"]*)?//g' /etc/default/grub && update-grub && reboot");
	return format("apt install mokutil && mokutil --import " MOK_CERT " && reboot");
}

/* The signature belongs to the module, not to the archive that it is packed into. */
static const struct packing {
	const char *suffix;
	const char *unpack;
	const char *pack;
} packings[] = {
	{ ".gz", "gunzip", "gzip" },
	{ ".xz", "unxz", "xz --check=crc32" },
	{ ".zst", "zstd -dq --rm", "zstd -q --rm" },
	{ 0 }
};

static const struct packing *packing_of(const char *path)
{
	const char *suffix = strrchr(path, '.') ?: "";
	const struct packing *packing = packings;

	while (packing->suffix && strcmp(packing->suffix, suffix))
		packing++;
	return packing->suffix ? packing : NULL;
}

static char *sign(const char *release, const char *path)
{
	const struct packing *packing = packing_of(path);
	const char *key = "";
	int len = strlen(path);

	if (access(MOK_KEY, F_OK) || access(MOK_CERT, F_OK))
		key = NEW_KEY " && ";
	if (!packing)
		return format("%s/lib/modules/%s/" SIGN_FILE " %s",
			      key, release, path);
	len -= strlen(packing->suffix);
	return format("%s%s %s && /lib/modules/%s/" SIGN_FILE " %.*s && %s %.*s",
		      key, packing->unpack, path, release, len, path,
		      packing->pack, len, path);
}

/* True if DKMS has the source, of any version: it builds what it has. */
static bool in_dkms(void)
{
	glob_t found;
	bool any = !glob("/usr/src/mackeep-*", 0, NULL, &found);

	globfree(&found);
	return any;
}

void check_not_loaded(void)
{
	struct module_file file = ko_file();
	struct utsname kernel;

	uname(&kernel);
	if (!file.path)
		found(BROKEN, "module",
		      format("there is no kernel module for the kernel that runs, %s",
			     kernel.release),
		      format("apt install linux-headers-%s && %s", kernel.release,
			     in_dkms() ? "dkms autoinstall" : "make install"));
	else if (ko_only_signed() && !file.signer)
		found(BROKEN, "signature",
		      format("the kernel only takes signed modules, %s has no signature",
			     file.path),
		      sign(kernel.release, file.path));
	else if (ko_only_signed() &&
		 !file_says("/proc/keys", "asymmetri", file.signer))
		found(BROKEN, "signature",
		      format("the kernel only takes modules signed with a key it knows, %s is signed with \"%s\"",
			     file.path, file.signer),
		      enroll());
	else
		found(BROKEN, "module", format("the kernel module is not loaded"),
		      format("modprobe mackeep"));
	ko_file_free(&file);
}

void check_version(const struct module *module)
{
	if (strcmp(module->version, MACKEEP_VERSION))
		found(BROKEN, "version",
		      format("the kernel module is %s, this tool %s",
			     module->version, MACKEEP_VERSION),
		      format("mackeep reload"));
}
