/* Included before everything else in the build for helgrind (make storm-helgrind). helgrind knows pthread's locks and
 * what happens at a thread's start and end, but no C11 atomic: to it our lock is a number in memory, and what the lock
 * protects is a race. Here each atomic operation says what it is: a store publishes what its thread did before
 * (release), a load takes over what was published at this address (acquire), and the atomic object itself is never a
 * race. Nothing else is hidden from helgrind: plain data that two threads touch without such an edge is reported.
 *
 * One thing is coarser than the standard: a load takes over what all stores so far have published, not only that whose
 * value it read. ThreadSanitizer (make storm-tsan) does that exactly. */
#ifndef HEAPLOG_TESTS_HELGRIND_H
#define HEAPLOG_TESTS_HELGRIND_H

#ifndef __ASSEMBLER__ /* vfork_*.S */
#include <stdatomic.h>
#include <sys/mman.h>
#include <valgrind/helgrind.h>

/* valgrind 3.19 does not follow MADV_DONTFORK: in a forked child it takes these mappings for ones that are there, reads
 * them, and dies itself ("VALGRIND INTERNAL ERROR: signal 11" at the first byte of such a page, in one storm of two or
 * three). The program does not touch them. */
#undef MADV_DONTFORK
#define MADV_DONTFORK MADV_NORMAL

#define HG_OBJECT(object) VALGRIND_HG_DISABLE_CHECKING((object), sizeof *(object))
#define HG_RELEASE(object)                                 \
	do {                                               \
		HG_OBJECT(object);                         \
		ANNOTATE_HAPPENS_BEFORE((void *)(object)); \
	} while (0)
#define HG_ACQUIRE(object) ANNOTATE_HAPPENS_AFTER((void *)(object))

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak

#define atomic_load_explicit(object, order)                                          \
	__extension__({                                                              \
		HG_OBJECT(object);                                                   \
		__auto_type hg_value_ = __atomic_load_n((object), __ATOMIC_SEQ_CST); \
		HG_ACQUIRE(object);                                                  \
		hg_value_;                                                           \
	})
#define atomic_load(object) atomic_load_explicit(object, memory_order_seq_cst)
#define atomic_store(object, value)                                       \
	__extension__({                                                   \
		__auto_type hg_stored_ = (value);                         \
		HG_RELEASE(object);                                       \
		__atomic_store_n((object), hg_stored_, __ATOMIC_SEQ_CST); \
	})
#define HG_MODIFY(object, operation)               \
	__extension__({                            \
		HG_RELEASE(object);                \
		__auto_type hg_old_ = (operation); \
		HG_ACQUIRE(object);                \
		hg_old_;                           \
	})
#define atomic_exchange(object, value) HG_MODIFY(object, __atomic_exchange_n((object), (value), __ATOMIC_SEQ_CST))
#define atomic_fetch_add(object, value) HG_MODIFY(object, __atomic_fetch_add((object), (value), __ATOMIC_SEQ_CST))
#define atomic_fetch_sub(object, value) HG_MODIFY(object, __atomic_fetch_sub((object), (value), __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_strong(object, expected, value) \
	HG_MODIFY(object,                                       \
		  __atomic_compare_exchange_n((object), (expected), (value), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_weak atomic_compare_exchange_strong

#endif
#endif
