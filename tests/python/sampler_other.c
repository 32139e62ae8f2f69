/* A library that sampler_life loads and unloads while its instructions are armed. */
static unsigned long counter;

__attribute__((visibility("default"))) unsigned long count_up(unsigned n);

unsigned long count_up(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		counter++;
		__asm__ volatile("" ::: "memory");
	}
	return counter;
}
