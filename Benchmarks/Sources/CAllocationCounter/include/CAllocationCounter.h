#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

#include <stdint.h>

// How often the calling thread has asked malloc and its relatives for memory so far. Other threads do not show here.
uint64_t allocations_of_this_thread(void);

#endif
