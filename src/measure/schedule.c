#include "measure/schedule.h"

enum {
	FIRST_MS = 1,
	EARLY_MS = 25,
	EARLY_TICKS = 8, /* without movement, before the delay grows again */
	SHARE = 50,      /* a walk may take 1/50, 2 % of a core */
	GLANCES = 5,     /* per period, and the look is one of them */
	FEW = 8,         /* processes, for which there are so many; one between two looks up to MANY, of more none */
	MANY = 250,
};

#define MS 1000000ULL

void heaplog_schedule_init(struct heaplog_schedule *schedule, uint32_t interval_ms)
{
	*schedule = (struct heaplog_schedule){.wanted_ns = interval_ms * MS, .period_ns = interval_ms * MS};
}

uint64_t heaplog_schedule_next(struct heaplog_schedule *schedule, uint64_t cost_ns, bool moved)
{
	const uint64_t early = EARLY_MS * MS > cost_ns * SHARE ? EARLY_MS * MS : cost_ns * SHARE;
	uint64_t delay = schedule->delay_ns ? schedule->delay_ns * 2 : FIRST_MS * MS;

	/* The circuit breaker: the watched machine comes first. */
	while (schedule->period_ns < cost_ns * SHARE && schedule->period_ns < 60000 * MS)
		schedule->period_ns *= 2;
	while (schedule->period_ns > schedule->wanted_ns && schedule->period_ns / 2 >= cost_ns * SHARE)
		schedule->period_ns /= 2;
	schedule->calm = moved ? 0 : schedule->calm + 1;
	if (schedule->calm < EARLY_TICKS && delay > early)
		delay = early;
	if (delay > schedule->period_ns)
		delay = schedule->period_ns;
	schedule->delay_ns = delay;
	return delay;
}

uint64_t heaplog_schedule_glance(const struct heaplog_schedule *schedule, uint64_t processes)
{
	if (processes > MANY)
		return schedule->period_ns;
	return schedule->period_ns / (processes > FEW ? 2 : GLANCES);
}
