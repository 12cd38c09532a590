# Files of tests/gpu/: what a machine with a GPU has to show, and the same on the CPU in small.
check_PROGRAMS += tests/gpu/golden
tests_gpu_golden_SOURCES = tests/gpu/golden.c tests/model/golden.c tests/model/golden.h
tests_gpu_golden_LDADD = $(test_libs)
TESTS += tests/gpu/golden

# Which fusions cuDNN has engines for.
if CUDA
check_PROGRAMS += tests/gpu/engines
tests_gpu_engines_SOURCES = tests/gpu/engines.c src/backend/cuda/check.c src/backend/cuda/cudnn_engine.c src/backend/cuda/cudnn_graph.c
tests_gpu_engines_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_gpu_engines_LDADD = $(test_libs) $(CUDA_LIBS)
TESTS += tests/gpu/engines
endif

dist_check_SCRIPTS += tests/gpu/run tests/gpu/dry.sh tests/gpu/readme.sh
EXTRA_DIST += tests/gpu/bench.py tests/gpu/checks.json tests/gpu/main.py tests/gpu/parity.py tests/gpu/report.py \
	tests/gpu/runner.py tests/gpu/small_runs.py tests/gpu/tensors.py tests/gpu/train.py docs/gpu/README.md
TESTS += tests/gpu/dry.sh tests/gpu/readme.sh
