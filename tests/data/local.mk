# Files of tests/data/.
noinst_HEADERS += tests/data/folder_files.h tests/data/image_golden.h
EXTRA_DIST += tests/data/decode_golden.py tests/data/golden_image.py

check_PROGRAMS += tests/data/augment tests/data/cifar tests/data/decode tests/data/decode_dump \
	tests/data/folder tests/data/image tests/data/loader tests/data/parameters tests/data/real \
	tests/data/split
tests_data_augment_SOURCES = tests/data/augment.c
tests_data_augment_LDADD = $(test_libs)
tests_data_cifar_SOURCES = tests/data/cifar.c
tests_data_cifar_LDADD = $(test_libs)
tests_data_decode_SOURCES = tests/data/decode.c tests/data/folder_files.c
tests_data_decode_LDADD = $(test_libs)
tests_data_decode_dump_SOURCES = tests/data/decode_dump.c
tests_data_decode_dump_LDADD = $(test_libs)
tests_data_folder_SOURCES = tests/data/folder.c tests/data/folder_files.c
tests_data_folder_LDADD = $(test_libs)
tests_data_image_SOURCES = tests/data/image.c
tests_data_image_LDADD = $(test_libs)
tests_data_loader_SOURCES = tests/data/loader.c
tests_data_loader_LDADD = $(test_libs)
tests_data_parameters_SOURCES = tests/data/parameters.c
tests_data_parameters_LDADD = $(test_libs)
tests_data_real_SOURCES = tests/data/real.c
tests_data_real_LDADD = $(test_libs)
tests_data_split_SOURCES = tests/data/split.c
tests_data_split_LDADD = $(test_libs)
dist_check_SCRIPTS += tests/data/decode_golden.sh tests/data/folder_run.sh
TESTS += tests/data/augment tests/data/cifar tests/data/decode tests/data/decode_golden.sh \
	tests/data/folder tests/data/folder_run.sh tests/data/image tests/data/loader \
	tests/data/parameters tests/data/real tests/data/split
tsan_tests += tests/data/folder tests/data/loader tests/data/parameters
