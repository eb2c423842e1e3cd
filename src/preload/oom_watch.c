#include "preload/oom_watch.h"

#include "measure/oom.h"
#include "preload/tasks.h"

#include <stdatomic.h>

enum { UNKNOWN, SEARCHING, FOUND, ABSENT };

/* A victim takes a moment to go: what falls, or ends, so soon after the count rose does so because of it. */
#define AFTERMATH_NS UINT64_C(300000000)
#define SECOND_NS UINT64_C(1000000000)

static struct heaplog_oom_counter counter;
static _Atomic int state;

static int64_t count_now(void)
{
	return atomic_load(&state) == FOUND ? heaplog_oom_count(&counter) : -1;
}

/* Once for all tasks; who comes while another thread searches has its first count at its next look. */
static void search(void)
{
	int expected = UNKNOWN;

	if (atomic_compare_exchange_strong(&state, &expected, SEARCHING))
		atomic_store(&state, heaplog_oom_find("/proc", &counter) ? FOUND : ABSENT);
}

static void note_held(struct oom_watch *watch, uint64_t now, uint64_t held)
{
	if (now - watch->second > SECOND_NS) {
		atomic_store(&watch->held[1], atomic_load(&watch->held[0]));
		atomic_store(&watch->held[0], held);
		watch->second = now;
	} else if (held > atomic_load(&watch->held[0])) {
		atomic_store(&watch->held[0], held);
	}
}

uint64_t oom_watch_held(const struct oom_watch *watch)
{
	const uint64_t now = atomic_load(&watch->held[0]);
	const uint64_t before = atomic_load(&watch->held[1]);

	return now > before ? now : before;
}

void oom_watch_look(struct oom_watch *watch, int *kept, uint64_t now, uint64_t before, uint64_t after)
{
	int64_t count;

	note_held(watch, now, after);
	search();
	count = atomic_load(&state) == FOUND ? heaplog_oom_count_again(&counter, kept) : -1;
	if (count < 0)
		return;
	if (!watch->begun) {
		atomic_store(&watch->last, count);
		atomic_store(&watch->first, count + 1); /* 0 says that there was no look */
		watch->begun = true;
		return;
	}
	if (count > atomic_load(&watch->last)) {
		atomic_store(&watch->last, count);
		atomic_store(&watch->rise, now);
	}
	/* The kernel chooses the largest process that it finds: a small fall is not the victim's. */
	if (atomic_load(&watch->rise) && now - atomic_load(&watch->rise) <= AFTERMATH_NS && before > after &&
	    before - after >= tasks_largest(now) / 4)
		atomic_store(&watch->hit, true);
}

enum oom oom_watch_end(const struct oom_watch *watch, uint64_t now)
{
	const int64_t first = atomic_load(&watch->first) - 1;
	const uint64_t rise = atomic_load(&watch->rise);
	const int64_t count = first < 0 ? -1 : count_now();
	const bool hit = atomic_load(&watch->hit);

	if (count <= first)
		return OOM_NONE;
	if (count == atomic_load(&watch->last) && (!rise || now - rise > AFTERMATH_NS))
		return hit ? OOM_BEFORE : OOM_NONE;
	return hit || oom_watch_held(watch) >= tasks_largest(now) ? OOM_HIT : OOM_NEAR;
}
