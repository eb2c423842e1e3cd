/* The library that does nothing: what preloading costs by itself. */
extern int heaplog_bench_empty;
int heaplog_bench_empty = 1;
