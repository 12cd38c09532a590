/* decode_dump SIDE FILE: the image as the folder data set keeps it, planes [3, SIDE, SIDE], on
 * stdout. For decode_golden.py. */
#include "data/decode.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct err e = {0};
    int side = argc == 3 ? atoi(argv[1]) : 0;
    size_t bytes = 3 * (size_t)side * (size_t)side;
    uint8_t *planes = malloc(bytes + 1);
    if (side < 1 || !planes)
        return EXIT_USAGE;
    int failed = image_decode(argv[2], side, planes, &e);
    if (failed)
        fprintf(stderr, "%s\n", e.msg);
    else
        fwrite(planes, 1, bytes, stdout);
    free(planes);
    return failed ? e.code : 0;
}
