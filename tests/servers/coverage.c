// How many places of the library a run has reached: counted by code that the compiler puts at each of them
// (scripts/fuzz.sh), in a file that the search in tests/suite/fuzz/ reads.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t *reached;

void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *end) {
    const char *path = getenv("ARCHONCTL_FUZZ_MAP");
    for (uint32_t *place = start; place < end; place++) *place = 1;
    if (reached != NULL || path == NULL) return;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, sizeof *reached) != 0) abort();
    void *map = mmap(NULL, sizeof *reached, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    close(file);
    reached = map;
}

// A place counts once: the first to come there closes it.
void __sanitizer_cov_trace_pc_guard(uint32_t *place) {
    if (*place == 0 || reached == NULL) return;
    if (__atomic_exchange_n(place, 0, __ATOMIC_RELAXED) != 0) __atomic_add_fetch(reached, 1, __ATOMIC_RELAXED);
}
