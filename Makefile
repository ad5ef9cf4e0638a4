# SPDX-License-Identifier: GPL-2.0-only
#
# MACKEEP: the kernel module, the iptables extension, the tool, their tests.
# "make help" tells the targets. Nothing is built outside build/.

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
PREFIX	?= /usr
CC	= gcc
CFLAGS	?= -O2
PKG_CONFIG ?= pkg-config
INSTALL	?= install
K	?= 6.12
DEB_ARGS ?= -b

ifeq ($(V),1)
Q :=
else
Q := @
endif

override CFLAGS += -Wall -Wextra -Iinclude
BUILD	:= build
xtlibdir = $(shell $(PKG_CONFIG) --variable=xtlibdir xtables)

moddir	= $(BUILD)/$(KVER)
modinst	= $(DESTDIR)/lib/modules/$(KVER)/updates

# blob.c is a plugin; its test builds it.
test_tools = $(patsubst tests/tools/%.c,$(BUILD)/test-tools/%,$(filter-out %/blob.c,$(wildcard tests/tools/*.c)))
tool_objects = $(patsubst tools/%.c,$(BUILD)/tool/%.o,$(wildcard tools/*.c))
tool_libraries = libmnl libnetfilter_conntrack jansson libkmod
man	= $(BUILD)/xt_MACKEEP.8

bindir	= $(DESTDIR)$(PREFIX)/sbin
incdir	= $(DESTDIR)$(PREFIX)/include/linux
mandir	= $(DESTDIR)$(PREFIX)/share/man
compdir	= $(DESTDIR)$(PREFIX)/share/bash-completion/completions
units	= mackeep@.service mackeep-repair@.service mackeep-link@.service \
	  mackeep-hooks.service
ruledir	= $(DESTDIR)$(PREFIX)/lib/udev/rules.d
unitdir	= $(DESTDIR)$(PREFIX)/lib/systemd/system
confdir	= $(DESTDIR)/etc/mackeep
modconf	= $(DESTDIR)$(PREFIX)/lib/modprobe.d

all: module user
user: plugin tool $(man)

help:
	@echo 'make              build the module for KVER ($(KVER)), the iptables plugin'
	@echo '                  and the tool mackeep'
	@echo 'make install      install them, the headers and the man pages; DESTDIR, PREFIX'
	@echo 'make uninstall    remove them'
	@echo 'make deb          build the Debian packages into build/deb'
	@echo 'make check        boot stock kernels under QEMU and run the tests there, each'
	@echo '                  on one of them in turn; ALL=1: each on each,'
	@echo '                  KERNELS="6.1 6.12", TESTS="name name"'
	@echo 'make check-debug  the same in a kernel with KASAN, lockdep, kmemleak: takes hours'
	@echo 'make check-race   some of them in a kernel with KCSAN: takes an hour'
	@echo 'make check-matrix all tests, packages and boot on Debian 11 to sid, R=sid: one'
	@echo 'make bench        what a packet costs, with MACKEEP and with the alternatives'
	@echo 'make bench-check  the same, and fail when a target is missed'
	@echo 'make demo         watch a transparent proxy that keeps the MACs, in a guest; K=6.12'
	@echo 'make vm           a shell in a guest with the module loaded; K=6.12'
	@echo 'make lint         check the sources'
	@echo 'make clean        remove build/'
	@echo 'Also: module user plugin tool test-tools, install-user (no module).'
	@echo 'Variables: KVER KDIR DESTDIR PREFIX V=1'

# Kbuild writes its objects beside the sources, so it gets a tree of links. Links
# keep the time stamps, and with them incremental builds.
module:
	@test -e '$(KDIR)/Makefile' || { \
		echo 'No kernel headers in $(KDIR): install the package linux-headers-$(KVER), or set KVER and KDIR.' >&2; \
		exit 1; }
	$(Q)mkdir -p $(moddir)/kmod $(moddir)/include
	$(Q)cp -rsfu '$(CURDIR)/kmod/.' $(moddir)/kmod
	$(Q)cp -rsfu '$(CURDIR)/include/.' $(moddir)/include
	$(Q)find $(moddir)/kmod $(moddir)/include -xtype l -delete
	$(Q)$(MAKE) -C '$(KDIR)' M='$(abspath $(moddir))/kmod' $(if $(V),V=$(V)) $(KBUILD_ARGS) modules

plugin: $(BUILD)/libxt_MACKEEP.so

$(BUILD)/libxt_MACKEEP.so: xtables-ext/libxt_MACKEEP.c include/linux/netfilter/xt_MACKEEP.h
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists xtables || { \
		echo 'No xtables headers: install the package libxtables-dev.' >&2; exit 1; }
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(shell $(PKG_CONFIG) --cflags xtables) -fPIC -shared \
		$(LDFLAGS) -o $@ $<

tool: $(BUILD)/mackeep

$(BUILD)/mackeep: $(tool_objects)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) \
		$(shell $(PKG_CONFIG) --libs $(tool_libraries))

$(BUILD)/tool/%.o: tools/%.c $(wildcard tools/*.h) $(BUILD)/stat-meanings.h \
		   include/linux/mackeep.h include/linux/netfilter/xt_MACKEEP.h
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists $(tool_libraries) || { \
		echo 'Libraries are missing: install the packages libmnl-dev, libnetfilter-conntrack-dev, libjansson-dev and libkmod-dev.' >&2; \
		exit 1; }
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -I$(BUILD) -c -o $@ $< \
		$(shell $(PKG_CONFIG) --cflags $(tool_libraries))

# The meaning of each counter is the comment beside its name.
$(BUILD)/stat-meanings.h: kmod/stat-names.h
	@mkdir -p $(@D)
	$(Q)sed -n -e 's|^MACKEEP_STAT(\(.*\))[[:space:]]*/\* \(.*\) \*/|COUNTER("\1", "\2")|p' \
		-e 's|^/\* \([a-z].*\) \*/|GROUP("\1")|p' $< >$@

# The fragment for iptables-extensions(8) is the description of the page.
$(BUILD)/xt_MACKEEP.8: xtables-ext/xt_MACKEEP.8.in xtables-ext/libxt_MACKEEP.man
	@mkdir -p $(@D)
	$(Q)sed -e '/^@FRAGMENT@$$/{' -e 'r $(word 2,$^)' -e 'd' -e '}' $< >$@.tmp
	$(Q)mv $@.tmp $@

test-tools: $(test_tools)

$(BUILD)/test-tools/%: tests/tools/%.c include/linux/netfilter/xt_MACKEEP.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS) \
		-Wl,--as-needed -lmnl -lnetfilter_conntrack

install: all install-user
	$(Q)$(INSTALL) -D -m 644 -t $(modinst) $(moddir)/kmod/xt_MACKEEP.ko
	$(Q)$(INSTALL) -D -m 644 -t $(modconf) kmod/mackeep.conf
ifeq ($(DESTDIR),)
	depmod $(KVER)
endif

install-user: user
	$(Q)$(INSTALL) -D -m 755 -t $(DESTDIR)$(xtlibdir) $(BUILD)/libxt_MACKEEP.so
	$(Q)$(INSTALL) -D -m 755 -t $(bindir) $(BUILD)/mackeep
	$(Q)$(INSTALL) -D -m 644 -t $(incdir)/netfilter include/linux/netfilter/xt_MACKEEP.h
	$(Q)$(INSTALL) -D -m 644 -t $(incdir) include/linux/mackeep.h
	$(Q)$(INSTALL) -D -m 644 -t $(mandir)/man8 $(man) tools/mackeep.8
	$(Q)$(INSTALL) -D -m 644 -t $(mandir)/man7 tools/mackeep-recipes.7 tools/mackeep-macs.7
	$(Q)$(INSTALL) -D -m 644 tools/mackeep.bash-completion $(compdir)/mackeep
	$(Q)for unit in $(units); do \
		sed 's|/usr/sbin|$(PREFIX)/sbin|' tools/$$unit | \
		$(INSTALL) -D -m 644 /dev/stdin $(unitdir)/$$unit || exit; done
	$(Q)$(INSTALL) -d $(confdir)/hooks.d
	$(Q)sed 's|/usr/sbin|$(PREFIX)/sbin|' tools/90-mackeep.rules | \
		$(INSTALL) -D -m 644 /dev/stdin $(ruledir)/90-mackeep.rules
	$(Q)test -e $(confdir)/br0.conf || \
		$(INSTALL) -D -m 644 -t $(confdir) tools/br0.conf

uninstall:
	rm -f $(modinst)/xt_MACKEEP.ko $(DESTDIR)$(xtlibdir)/libxt_MACKEEP.so \
		$(bindir)/mackeep $(incdir)/netfilter/xt_MACKEEP.h $(incdir)/mackeep.h \
		$(mandir)/man8/xt_MACKEEP.8 $(mandir)/man8/mackeep.8 \
		$(mandir)/man7/mackeep-recipes.7 $(mandir)/man7/mackeep-macs.7 \
		$(compdir)/mackeep \
		$(units:%=$(unitdir)/%) $(ruledir)/90-mackeep.rules $(modconf)/mackeep.conf
	! cmp -s tools/br0.conf $(confdir)/br0.conf || rm $(confdir)/br0.conf
	for dir in $(confdir)/hooks.d $(confdir); do \
		test ! -d $$dir || rmdir --ignore-fail-on-non-empty $$dir; done
ifeq ($(DESTDIR),)
	depmod $(KVER)
endif

# Built from a copy: nothing is written beside the sources.
deb:
	$(if $(filter -d,$(DEB_ARGS)),,@tests/vm/deps deb)
	$(Q)rm -rf $(BUILD)/deb
	$(Q)mkdir -p $(BUILD)/deb/mackeep
	$(Q)tar -c --exclude=./.git --exclude=./build . | tar -x -C $(BUILD)/deb/mackeep
	$(Q)cd $(BUILD)/deb/mackeep && dpkg-buildpackage -us -uc $(DEB_ARGS)
	$(Q)rm -rf $(BUILD)/deb/mackeep
	@ls $(BUILD)/deb/*.deb

check:
	@tests/vm/check

check-debug:
	@tests/vm/check-debug

check-race:
	@tests/vm/check-debug race

check-matrix:
	@tests/vm/check-matrix

# REACHED=1: for targets that no code can meet, what was reached stands in.
# The README shows tests/bench/packet.svg: make bench SVG=tests/bench/packet.svg
SVG	= $(BUILD)/bench.svg

bench bench-check:
	@tests/vm/deps build vm guest
	@tests/vm/build $(K)
	@rm -rf $(BUILD)/bench
	@tests/vm/run -k $(K) --icount -m 3072 -t 1500 -o $(BUILD)/bench -- tests/bench/guest
	@tests/bench/report $(BUILD)/bench/figures --json $(BUILD)/bench.json \
		--svg $(SVG) $(if $(filter bench-check,$@),--check $(if $(REACHED),--reached))

demo:
	@tests/vm/deps build vm guest
	@tests/vm/build $(K)
	@tests/vm/run -k $(K) -- tests/demo

vm:
	@tests/vm/deps build vm guest
	@tests/vm/build $(K)
	@tests/vm/run -k $(K) --shell bash --rcfile tests/vm/shellrc -i

lint:
	@tests/lint

clean:
	rm -rf $(BUILD)

.PHONY: all help module user plugin tool test-tools install install-user uninstall deb check check-debug check-race check-matrix bench bench-check demo vm lint clean
