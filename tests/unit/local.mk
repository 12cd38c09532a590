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

# optimizer, schedules, objectives
check_PROGRAMS += tests/unit/optim tests/unit/schedule tests/unit/objective
tests_unit_optim_SOURCES = tests/unit/optim.c
tests_unit_optim_LDADD = $(test_libs)
tests_unit_schedule_SOURCES = tests/unit/schedule.c
tests_unit_schedule_LDADD = $(test_libs)
tests_unit_objective_SOURCES = tests/unit/objective.c
tests_unit_objective_LDADD = $(test_libs)
TESTS += tests/unit/optim tests/unit/schedule tests/unit/objective
