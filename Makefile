# shunt: container networking for people without Kubernetes
#
#   make             build/shunt
#   make check       every test; needs root
#   make demo        two containers talk, and disappear without a trace; needs root
#   make install     with DESTDIR, PREFIX and the directories below

PREFIX ?= /usr
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
HOOKSDIR ?= $(PREFIX)/share/containers/oci/hooks.d
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
DESTDIR ?=

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= bpftool
PKGCONF ?= pkgconf
INSTALL ?= install

B := build
# make V=1 shows commands whole; else one short line each.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$1' '$@')
PACKAGES := libbpf libnl-3.0 libsystemd libcap
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wno-missing-field-initializers
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc -Ihooks -I$(B) $(shell $(PKGCONF) --cflags $(PACKAGES))
LDLIBS += $(shell $(PKGCONF) --libs $(PACKAGES))
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Iinclude -I/usr/include/$(shell $(CC) -dumpmachine)

SOURCES := $(wildcard src/*.c hooks/*.c)
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
ENGINE := $(filter-out $(B)/src/main.o,$(OBJECTS))
UNIT := $(patsubst %.c,$(B)/%,$(wildcard test/unit/*.c))
PACKET := $(patsubst %.c,$(B)/%,$(wildcard test/bpf/*.c))
FUZZ := $(patsubst %.c,$(B)/%,$(wildcard test/fuzz/*.c))

.PHONY: all check demo install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/shunt

$(B)/shunt: $(OBJECTS)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) include/shunt/abi.h
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

$(B)/src/datapath.o $(PACKET): $(B)/shunt.skel.h

$(B)/test/unit/%: test/unit/%.c $(ENGINE)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(ENGINE) $(LDLIBS) -lcmocka

$(B)/test/bpf/%: test/bpf/%.c $(wildcard test/bpf/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDLIBS) -lcmocka

# The engine's own sources, instrumented: what a target does not reach is dropped by the linker.
$(B)/test/fuzz/%: test/fuzz/%.c $(B)/shunt.skel.h $(SOURCES)
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(CLANG) $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS)) -Wno-unknown-warning-option -g -O1 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $< \
		$(filter-out src/main.c,$(SOURCES)) $(LDLIBS)

check: all $(UNIT) $(PACKET) $(FUZZ)
	test/check

demo: all
	test/lab/lab run --kernel stable --driver netkit test/demo.sh

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
