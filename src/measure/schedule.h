/* When to look at a task: early ticks, the period, the circuit breaker. Pure. */
#ifndef HEAPLOG_MEASURE_SCHEDULE_H
#define HEAPLOG_MEASURE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct heaplog_schedule {
	uint64_t period_ns;  /* in use; doubled by the circuit breaker */
	uint64_t delay_ns;   /* the delay chosen last */
	unsigned early_left; /* early ticks still allowed after a change */
};

void heaplog_schedule_init(struct heaplog_schedule *schedule, uint32_t interval_ms);

/* The delay in ns until the next tick, given what the last one cost (CPU time in ns: wall time would punish us for a
 * busy machine), whether the membership changed, and whether the two bounds are more than 10 % apart. 1, 2, 4, 8 ... ms
 * up to the period, because many tasks are short; 100 ms ticks after a change, within 2 % of a core; the period doubles
 * while a walk takes more than 2 % of it. */
uint64_t heaplog_schedule_next(struct heaplog_schedule *schedule, uint64_t cost_ns, bool changed, bool apart);

#endif
