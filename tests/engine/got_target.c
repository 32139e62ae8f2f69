__attribute__((visibility("default"))) int got_target(int value);

int got_target(int value)
{
	return value + 1;
}
