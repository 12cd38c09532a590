# Files of src/arch/.
libsupcon_a_SOURCES += \
	src/arch/arch.c \
	src/arch/resnet.c \
	src/arch/resnet18.c \
	src/arch/resnet20.c \
	src/arch/resnet50.c \
	src/arch/resnet8.c
libsupcon_a_SOURCES += src/arch/model_conf.c
