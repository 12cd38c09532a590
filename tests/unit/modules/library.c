/* What a needy module needs; it has the name of a library that SUPCON_CUDA_LIBS is for. */
int needed_function(void);

int needed_function(void)
{
    return 0;
}
