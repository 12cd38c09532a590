# Files of src/data/.
libsupcon_a_SOURCES += \
	src/data/augment.c \
	src/data/cifar.c \
	src/data/cifar_names.c \
	src/data/crop_flip.c \
	src/data/data_conf.c \
	src/data/dataset.c \
	src/data/decode.c \
	src/data/decode_jpeg.c \
	src/data/decode_png.c \
	src/data/folder.c \
	src/data/folder_index.c \
	src/data/folder_scan.c \
	src/data/image.c \
	src/data/image_blur.c \
	src/data/image_colour.c \
	src/data/image_fit.c \
	src/data/loader.c \
	src/data/loader_fill.c \
	src/data/none.c \
	src/data/order.c \
	src/data/shapes.c \
	src/data/shapes_draw.c \
	src/data/simaugment.c \
	src/data/split.c \
	src/data/workers.c
