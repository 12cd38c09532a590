# Files of man/. The pages are filled in by the program itself; a tarball holds them ready, so that a
# cross build does not need to run it.
dist_man_MANS += man/supcon.1 man/supcon.cfg.5
EXTRA_DIST += man/supcon.1.in man/supcon.cfg.5.in

man_tables = $(libsupcon_a_SOURCES) $(libtui_a_SOURCES)

man/supcon.1: man/supcon.1.in $(man_tables) | supcon$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && ./supcon$(EXEEXT) __man $(srcdir)/man/supcon.1.in > $@.tmp && mv -f $@.tmp $@

man/supcon.cfg.5: man/supcon.cfg.5.in $(man_tables) | supcon$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && ./supcon$(EXEEXT) __man $(srcdir)/man/supcon.cfg.5.in > $@.tmp && mv -f $@.tmp $@

MAINTAINERCLEANFILES = man/supcon.1 man/supcon.cfg.5
distclean-local: distclean-man
# Only where the pages did not come with the sources.
distclean-man:
	test "$(srcdir)" = . || rm -f man/supcon.1 man/supcon.cfg.5
.PHONY: distclean-man
