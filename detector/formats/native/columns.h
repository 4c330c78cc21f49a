/* Helpers for columns: hash marks of identities, and merging of sorted rows. */

#define IDENTITY_SIZE 16

/* Return the mark of an identity: its first eight bytes, but never 0, which marks a free place. */
static uint64_t mark_at(const uint8_t *bytes)
{
    uint64_t mark;
    memcpy(&mark, bytes, sizeof mark);
    return mark ? mark : 1;
}

/* Return the place of a mark in a table of 2**bits, or the free place for it; at least one place
   must be free. */
static uint64_t place_of_mark(const uint64_t *table, int32_t bits, uint64_t factor, uint64_t mark)
{
    uint64_t last = ((uint64_t)1 << bits) - 1, place = (mark * factor) >> (64 - bits);
    while (table[place] && table[place] != mark) place = (place + 1) & last;
    return place;
}

static int is_before(const int64_t *times, const uint8_t *identities, int32_t one, int32_t other)
{
    if (times[one] != times[other]) return times[one] < times[other];
    return memcmp(identities + IDENTITY_SIZE * (int64_t)one,
                  identities + IDENTITY_SIZE * (int64_t)other, IDENTITY_SIZE) < 0;
}

/* Merge two sorted runs of rows in `order`, `[start, middle)` and `[middle, end)`. */
static void merge_rows(const int64_t *times, const uint8_t *identities, int32_t *order,
                       int32_t *other, int64_t start, int64_t middle, int64_t end)
{
    if (!is_before(times, identities, order[middle], order[middle - 1])) return;
    memcpy(other + start, order + start, sizeof *order * (size_t)(middle - start));
    int64_t left = start, right = middle;
    for (int64_t to = start; left < middle; to++)
        order[to] = right < end && is_before(times, identities, order[right], other[left])
            ? order[right++] : other[left++];
}
