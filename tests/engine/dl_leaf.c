/* A library to be found; LEAF tells which of several with the same name it is. */
__attribute__((visibility("default"))) int leaf(void);

int leaf(void)
{
	return LEAF;
}
