# Files of dist/: the portable bundle.
EXTRA_DIST += dist/portable.sh

portable_file = supcon-$(VERSION)-linux-x86_64.tar.xz
CLEANFILES += $(portable_file)

# Deterministic: the same sources and the same libraries give the same bytes.
portable: all $(check_PROGRAMS)
if SANITIZED
	@echo "portable: this build has a sanitizer; configure another without" >&2; exit 1
else
	$(AM_V_GEN)bash $(srcdir)/dist/portable.sh '$(abs_top_builddir)' '$(abs_top_srcdir)' '$(VERSION)' $(check_PROGRAMS)
endif

# Unpacked, moved, in a root folder with nothing but glibc: see tests/dist/portable.sh.
check-portable: portable
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='tests/dist/portable.sh tests/gpu/dry.sh'

clean-local: clean-portable
clean-portable:
	rm -rf portable
.PHONY: portable check-portable clean-portable
