/* CRC-32C (Castagnoli, reflected 0x82F63B78): the check of "123456789" is e3069283. */
#ifndef SUPCON_ENGINE_CRC32C_H
#define SUPCON_ENGINE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of n more bytes: start with crc 0 and pass the result on. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

#endif
