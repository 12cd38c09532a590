# Files of tests/unit/.
noinst_HEADERS += tests/unit/temp.h

# base
check_PROGRAMS += tests/unit/conf
tests_unit_conf_SOURCES = tests/unit/conf.c
tests_unit_conf_LDADD = $(test_libs)
TESTS += tests/unit/conf
check_PROGRAMS += tests/unit/safetensors
tests_unit_safetensors_SOURCES = tests/unit/safetensors.c
tests_unit_safetensors_LDADD = $(test_libs)
TESTS += tests/unit/safetensors
