# shunt: container networking for people without Kubernetes
#
#   make             build/shunt
#   make check       every test; needs root
#   make sanitized   what unit tests and scenarios on this kernel run: the same with ASan and UBSan
#   make faults      an hour of killed and failed kernel calls; needs root
#   make fuzz        each fuzz target for ten minutes, or FUZZ_SECONDS
#   make bench       the tables and charts of test/bench/results: an hour
#   make demo        two containers talk, and disappear without a trace; needs root
#   make install     with DESTDIR, PREFIX and the directories below

PREFIX ?= /usr
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
HOOKSDIR ?= $(PREFIX)/share/containers/oci/hooks.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
NETWORKDIR ?= $(PREFIX)/lib/systemd/network
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/vendor-completions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
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
PACKAGES := libnl-3.0 libsystemd libcap
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wno-missing-field-initializers
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc -Ihooks -I$(B) $(shell $(PKGCONF) --cflags $(PACKAGES) libbpf)
LDLIBS += $(shell $(PKGCONF) --libs $(PACKAGES))
# shunt itself loads it when it needs it.
LIBBPF := $(shell $(PKGCONF) --libs libbpf)
# make SANITIZE=1 B=build/sanitized: the same with what ends it at the first slip, and says so in $(B)/finding.PID.
ifdef SANITIZE
CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CPPFLAGS += -DFINDING='"$(abspath $(B))/finding"'
endif
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Iinclude -I/usr/include/$(shell $(CC) -dumpmachine)

SOURCES := $(wildcard src/*.c hooks/*.c)
OBJECTS := $(SOURCES:%.c=$(B)/%.o) $(if $(SANITIZE),$(B)/test/sanitize.o)
ENGINE := $(filter-out $(B)/src/main.o,$(OBJECTS))
UNIT := $(patsubst %.c,$(B)/%,$(wildcard test/unit/*.c))
PACKET := $(patsubst %.c,$(B)/%,$(wildcard test/bpf/*.c))
ATTACK := $(B)/test/attack/packets $(B)/test/attack/flood $(B)/test/attack/inside.bpf.o
FAULTS := $(patsubst %.c,$(B)/%,$(wildcard test/faults/*.c))
BENCH := $(B)/bench/mark $(B)/bench/count.so $(B)/bench/programs
FUZZ := $(patsubst %.c,$(B)/%,$(wildcard test/fuzz/*.c))
FUZZ_ENGINE := $(patsubst %.c,$(B)/fuzz/%.o,$(filter-out src/main.c,$(SOURCES)))
FUZZ_CFLAGS = $(filter-out -Werror,$(CFLAGS)) -Wno-unknown-warning-option -g -O1 -fno-sanitize-recover=undefined \
	-fsanitize=address,undefined
FUZZ_SECONDS ?= 600
NEXT := $(B)/next/programs/build/shunt $(B)/next/layout/build/shunt

.PHONY: all check units sanitized fuzz faults bench demo install uninstall clean
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

$(B)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) $(wildcard include/shunt/*.h)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(B)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@

$(B)/src/loader.o $(PACKET) $(B)/bench/programs: $(B)/shunt.skel.h

$(B)/test/bpf/publish: $(B)/test/bpf/programs/publish.skel.h
$(B)/test/attack/inside.bpf.o: include/shunt/abi.h
$(B)/test/bpf/programs/publish.bpf.o: $(wildcard bpf/*.h) $(wildcard include/shunt/*.h)

$(B)/hooks/nspawn-text.o: $(wildcard units/*)

$(B)/test/unit/%: test/unit/%.c $(ENGINE)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(ENGINE) $(LDLIBS) $(LIBBPF) -lcmocka

$(B)/test/bpf/%: test/bpf/%.c $(wildcard test/bpf/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDLIBS) $(LIBBPF) -lcmocka

$(B)/test/attack/%: test/attack/%.c $(wildcard test/attack/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $<

$(B)/test/faults/%: test/faults/%.c
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDLIBS) $(LIBBPF)

$(B)/bench/%: test/bench/%.c test/bench/mark.h $(wildcard test/bpf/*.h)
	@mkdir -p $(@D)
	$(call say,BENCH)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDLIBS) $(LIBBPF) -lcmocka

# A plugin of QEMU's.
$(B)/bench/%.so: test/bench/%.c test/bench/mark.h
	@mkdir -p $(@D)
	$(call say,BENCH)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $<

# The engine, instrumented.
$(B)/fuzz/%.o: %.c $(B)/shunt.skel.h
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS),fuzzer-no-link -MMD -MP -c -o $@ $<

$(B)/test/fuzz/%: test/fuzz/%.c $(FUZZ_ENGINE)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS),fuzzer -MMD -MP -o $@ $< $(FUZZ_ENGINE) $(LDLIBS) $(LIBBPF)

# Other versions, for an upgrade to meet.
$(B)/next/%/build/shunt: $(SOURCES) $(wildcard src/*.h hooks/*.h bpf/* include/*/* units/*) test/upgrade/build
	$(call say,NEXT)
	$(Q)test/upgrade/build $* $(B)/next/$* >/dev/null

# For each target FUZZ_SECONDS, from its corpus and dictionary. What is new is kept in build/corpus, a finding beside it.
fuzz: $(FUZZ)
	for target in $(notdir $(FUZZ)); do \
		mkdir -p $(B)/corpus/$$target && \
		$(B)/test/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
			-dict=test/fuzz/$$target.dict -artifact_prefix=$(B)/corpus/$$target- \
			$(B)/corpus/$$target test/fuzz/$$target.corpus || exit 1; \
	done

units: $(UNIT)
sanitized:
	+$(Q)$(MAKE) SANITIZE=1 B=$(B)/sanitized all units

check: all $(PACKET) $(ATTACK) $(FAULTS) $(FUZZ) $(NEXT) sanitized
	test/check

# Each kernel call of each verb, killed there and failed with each errno. check takes some of them.
faults: all $(FAULTS)
	PATH=$(CURDIR)/$(B):$$PATH LAB_DRIVER=veth test/faults/all.sh

bench: all $(BENCH)
	test/bench/bench all

demo: all
	test/lab/lab run --kernel stable --driver netkit test/demo.sh

# podman skips a hook whose program is missing and starts the container without: the files come after the program.
install: all
	$(INSTALL) -D -m 0755 $(B)/shunt $(DESTDIR)$(BINDIR)/shunt
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man1 man/shunt.1
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man5 man/shunt.network.5
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man8 man/shunt-nspawn.8
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(NETWORKDIR) units/10-shunt-host.network
	$(INSTALL) -D -m 0644 contrib/completions/shunt.bash $(DESTDIR)$(BASHCOMPDIR)/shunt
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(ZSHCOMPDIR) contrib/completions/_shunt
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(FISHCOMPDIR) contrib/completions/shunt.fish
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(UNITDIR) units/shunt-gc.timer
	sed 's,@bindir@,$(BINDIR),' units/shunt-gc.service.in >$(DESTDIR)$(UNITDIR)/shunt-gc.service
	$(INSTALL) -d $(DESTDIR)$(HOOKSDIR)
	for hook in create poststop; do \
		sed 's,@bindir@,$(BINDIR),' hooks/oci/80-shunt-$$hook.json.in >$(DESTDIR)$(HOOKSDIR)/80-shunt-$$hook.json; \
	done

uninstall:
	rm -f $(DESTDIR)$(HOOKSDIR)/80-shunt-create.json $(DESTDIR)$(HOOKSDIR)/80-shunt-poststop.json
	rm -f $(DESTDIR)$(UNITDIR)/shunt-gc.timer $(DESTDIR)$(UNITDIR)/shunt-gc.service
	rm -f $(DESTDIR)$(BINDIR)/shunt $(DESTDIR)$(MANDIR)/man1/shunt.1 $(DESTDIR)$(MANDIR)/man5/shunt.network.5
	rm -f $(DESTDIR)$(MANDIR)/man8/shunt-nspawn.8 $(DESTDIR)$(NETWORKDIR)/10-shunt-host.network
	rm -f $(DESTDIR)$(BASHCOMPDIR)/shunt $(DESTDIR)$(ZSHCOMPDIR)/_shunt $(DESTDIR)$(FISHCOMPDIR)/shunt.fish

clean:
	rm -rf $(B)

-include $(OBJECTS:.o=.d) $(addsuffix .d,$(UNIT) $(PACKET) $(FAULTS) $(FUZZ)) $(FUZZ_ENGINE:.o=.d)
