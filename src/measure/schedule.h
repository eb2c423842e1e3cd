/* When to look at a task: early ticks, the period, the circuit breaker. Pure. */
#ifndef HEAPLOG_MEASURE_SCHEDULE_H
#define HEAPLOG_MEASURE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct heaplog_schedule {
	uint64_t wanted_ns; /* the period as configured */
	uint64_t period_ns; /* in use; doubled by the circuit breaker */
	uint64_t delay_ns;  /* the delay chosen last */
	unsigned calm;      /* ticks since something moved */
};

void heaplog_schedule_init(struct heaplog_schedule *schedule, uint32_t interval_ms);

/* The delay in ns until the next tick, given what the last one cost (CPU time in ns: wall time would punish us for a
 * busy machine) and whether anything moved: processes came or went, or the memory changed. 1, 2, 4, 8 ... ms up to the
 * period, because many tasks are short; after a movement 25 ms ticks for a while, within 2 % of a core, and then again
 * up to the period; the period doubles while a walk takes more than 2 % of it,
 * and is halved again when walks have become cheap (the first one opens a descriptor for each process). */
uint64_t heaplog_schedule_next(struct heaplog_schedule *schedule, uint64_t cost_ns, bool moved);

/* The delay in ns until a glance at whether anything has moved, between two ticks: a fifth of the period for a tree of a
 * few processes; of more it would cost too much, and say too little: two fifths, or the period, which is none at all. */
uint64_t heaplog_schedule_glance(const struct heaplog_schedule *schedule, uint64_t processes);

#endif
