/* Imports of one function: called through the PLT, and its address taken. */
extern int got_target(int);

__attribute__((visibility("default"))) int got_call(int value);
__attribute__((visibility("default"))) void *got_address(void);
__attribute__((visibility("default"))) int (*got_pointer)(int) = got_target;

int got_call(int value)
{
	return got_target(value);
}

void *got_address(void)
{
	return (void *)got_target;
}
