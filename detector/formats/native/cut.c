/* Cuts a chunk of CloudTrail JSON into records, and groups the records by the raw bytes of their
   heads.

   This code interprets nothing: records whose heads have equal bytes share a group, and texts are
   decoded elsewhere. A chunk with anything unusual is declined as a whole and handled in Python:
   escapes in keys, repeated keys or values of other types among the fields that are read, invalid
   UTF-8, unpaired surrogates, odd numbers, deep nesting, values that are not records.

   Every read is bounded by `end`, every write by the capacities that the caller passes. Nothing is
   allocated. */

#include <stdint.h>
#include <string.h>

#include "columns.h"
#include "documents.h"

/* Cut `size` bytes. Returns the result of `cut_text`. */
int64_t trailhound_cut_records(const uint8_t *data, int64_t size, int32_t lines, Cut *cut)
{
    return cut_text(data, size, lines, cut);
}

/* Cut concatenated small documents, given their `ends`. Returns the number of records. */
int64_t trailhound_cut_documents(
    const uint8_t *data, const int64_t *ends, const Cut *cut, Documents *documents)
{
    return cut_documents(data, ends, cut, documents);
}

/* Sum the groups of a chunk that was cut. Returns 0, or TOO_SMALL if the results do not fit. */
int64_t trailhound_sum_groups(const Heads *heads, const Facts *facts, Sums *sums)
{
    if (sums->records > sums->capacity || sums->group_count > sums->records) return TOO_SMALL;
    sum_groups(heads, facts, sums);
    return 0;
}

/* Sum the groups of each document that was cut. Returns 0, or TOO_SMALL if results do not fit. */
int64_t trailhound_sum_documents(
    const Heads *heads, const Facts *facts, const Sums *sums, Documents *documents)
{
    if (sums->records > sums->capacity || sums->group_count > sums->records) return TOO_SMALL;
    sum_documents(heads, facts, sums, documents);
    return 0;
}

/* Cut groups of records into runs with the same view. Returns the number of runs. */
int64_t trailhound_find_runs(HitRuns *hits)
{
    return find_runs(hits);
}

/* Write a row for each record of the first `runs` runs whose kind is not below 0. Returns the
   number of rows. */
int64_t trailhound_list_hits(
    const HitRuns *hits, int64_t runs, const int32_t *kinds, const int64_t *times, HitColumns *rows)
{
    return list_hits(hits, runs, kinds, times, rows);
}

/* Add the marks of identities, which begin every `stride` bytes, to a table of 2**bits places with
   room for all. Returns the number of new marks. */
int64_t trailhound_add_marks(
    uint64_t *table, int32_t bits, uint64_t factor, const uint8_t *identities, int64_t count,
    int64_t stride)
{
    int64_t added = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t mark = mark_at(identities + i * stride);
        uint64_t place = place_of_mark(table, bits, factor, mark);
        added += !table[place];
        table[place] = mark;
    }
    return added;
}

/* Write the indexes of the identities whose marks are in a table to `found`; return their number. */
int64_t trailhound_find_marks(
    const uint64_t *table, int32_t bits, uint64_t factor, const uint8_t *identities, int64_t count,
    int32_t *found)
{
    int64_t number = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t mark = mark_at(identities + i * IDENTITY_SIZE);
        if (table[place_of_mark(table, bits, factor, mark)]) found[number++] = (int32_t)i;
    }
    return number;
}

/* Write the numbers of the rows to `order`, sorted by time and identity (merge sort); `other` is
   scratch space of the same size. */
void trailhound_sort_rows(
    const int64_t *times, const uint8_t *identities, int64_t count, int32_t *order, int32_t *other)
{
    for (int64_t i = 0; i < count; i++) order[i] = (int32_t)i;
    for (int64_t size = 1; size < count; size *= 2)
        for (int64_t start = 0; start + size < count; start += 2 * size) {
            int64_t end = start + 2 * size < count ? start + 2 * size : count;
            merge_rows(times, identities, order, other, start, start + size, end);
        }
}

/* Gather items of `width` bytes in the order of the numbers in `order`. */
void trailhound_gather(
    const uint8_t *items, int64_t width, const int32_t *order, int64_t count, uint8_t *gathered)
{
    for (int64_t i = 0; i < count; i++, gathered += width) {
        const uint8_t *item = items + width * order[i];
        if (width == 4) memcpy(gathered, item, 4);
        else if (width == 8) memcpy(gathered, item, 8);
        else memcpy(gathered, item, (size_t)width);
    }
}

/* Concatenate the rows with the numbers `chosen`. Each row is in `items`, from its start to that of
   the next row. Writes their widths to `widths` and their items to `gathered`, which must have
   room, or may be 0 to write none. Returns the number of items. */
int64_t trailhound_gather_rows(
    const int32_t *starts, const int32_t *items, const int32_t *chosen, int64_t count,
    int32_t *widths, int32_t *gathered)
{
    int64_t end = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t start = starts[chosen[i]], width = starts[chosen[i] + 1] - start;
        if (gathered) memcpy(gathered + end, items + start, sizeof *items * (size_t)width);
        end += widths[i] = width;
    }
    return end;
}

/* Return the greatest of numbers of 4 or 8 bytes, none of which is below 0; 0 if there are none. */
int64_t trailhound_highest(const void *numbers, int64_t width, int64_t count)
{
    const int32_t *narrow = numbers;
    const int64_t *wide = numbers;
    int64_t highest = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t number = width == 4 ? narrow[i] : wide[i];
        if (number > highest) highest = number;
    }
    return highest;
}

/* Convert numbers of 4 or 8 bytes to numbers of 1, 2, 4 or 8 bytes, in which they must fit. */
void trailhound_narrow(
    const void *numbers, int64_t width, int64_t count, int64_t to_width, void *narrowed)
{
    const int32_t *narrow = numbers;
    const int64_t *wide = numbers;
    for (int64_t i = 0; i < count; i++) {
        int64_t number = width == 4 ? narrow[i] : wide[i];
        if (to_width == 1) ((uint8_t *)narrowed)[i] = (uint8_t)number;
        else if (to_width == 2) ((uint16_t *)narrowed)[i] = (uint16_t)number;
        else if (to_width == 4) ((uint32_t *)narrowed)[i] = (uint32_t)number;
        else ((uint64_t *)narrowed)[i] = (uint64_t)number;
    }
}

/* Renumber the parts of rows in the order of their first rows; `renumbered` must have a 0 for each
   part. Writes the used parts to `used`, and each row's new part number to `numbers`. Returns the
   number of used parts. */
int64_t trailhound_renumber(
    const int32_t *parts_of, int64_t count, int32_t *renumbered, int32_t *used, int32_t *numbers)
{
    int32_t parts = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t part = parts_of[i];
        if (!renumbered[part]) {
            used[parts++] = part;
            renumbered[part] = parts;
        }
        numbers[i] = renumbered[part] - 1;
    }
    return parts;
}

/* The digest of the sources, set by the build: a library built from other sources is not called. */
#ifndef TRAILHOUND_SOURCES
#define TRAILHOUND_SOURCES ""
#endif
const char *trailhound_sources(void)
{
    return TRAILHOUND_SOURCES;
}

/* Count the bytes that are equal to `value`. */
int64_t trailhound_count_bytes(const uint8_t *data, int64_t size, uint8_t value)
{
    int64_t count = 0;
    while (size > 0) {
        uint8_t some = 0; /* at most 128, so that the compiler can use vectors of byte counters */
        int step = size < 128 ? (int)size : 128;
        for (int i = 0; i < step; i++) some += data[i] == value;
        count += some;
        data += step;
        size -= step;
    }
    return count;
}
