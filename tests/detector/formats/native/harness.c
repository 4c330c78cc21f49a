/* Run the native cut over files, built with sanitizers: each file is copied into memory of its very
   size, so that a byte read beyond it is found. Arguments: files, each cut in both ways and with
   arrays that are too small. Prints how many were cut. */

#include <stdio.h>
#include <stdlib.h>

#include "cut.c"

static int64_t cut_once(const uint8_t *data, int64_t size, int lines, int64_t capacity)
{
    int64_t table_size = 1, groups = 0;
    int64_t keys_capacity = size / 2 + 1;
    while (table_size < 2 * capacity) table_size *= 2;
    Cut cut = {
        capacity, malloc(8 * capacity), malloc(8 * capacity), malloc(8 * capacity),
        malloc(4 * capacity), malloc(4 * capacity), malloc(4 * capacity),
        malloc(sizeof(Slot) * SLOTS * capacity), malloc(4 * table_size), table_size,
        malloc(8 * capacity), malloc(8 * capacity), malloc(keys_capacity), malloc(8 * capacity),
        keys_capacity, malloc(sizeof(HitFields) * capacity),
    };
    memset(cut.table, 0xFF, 4 * table_size);
    int64_t count = trailhound_cut_hits(data, size, lines, &cut, &groups);
    for (int64_t i = 0; i < count; i++)
        if (cut.starts[i] < 0 || cut.starts[i] + cut.sizes[i] > size || cut.order[i] >= count) abort();
    for (int64_t i = 0; i < count; i++) {
        HitFields fields = cut.hit_fields[i];
        if ((int64_t)fields.caller_start + fields.caller_size > size
            || (int64_t)fields.message_start + fields.message_size > size) abort();
    }
    for (int64_t i = 0; count >= 0 && i < groups; i++)
        if (cut.key_ends[i] < (i ? cut.key_ends[i - 1] : 0) || cut.key_ends[i] > keys_capacity
            || cut.firsts[i] > cut.lasts[i]) abort();
    free(cut.starts); free(cut.sizes); free(cut.times); free(cut.groups); free(cut.order);
    free(cut.ends); free(cut.slots); free(cut.table);
    free(cut.firsts); free(cut.lasts); free(cut.keys); free(cut.key_ends);
    free(cut.hit_fields);
    return count;
}

int main(int count, char **paths)
{
    long done = 0;
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) return 2;
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        rewind(file);
        uint8_t *data = malloc(size ? size : 1);
        if (fread(data, 1, size, file) != (size_t)size) return 2;
        fclose(file);
        for (int lines = 0; lines < 2; lines++) {
            done += cut_once(data, size, lines, size / 2 + 1) >= 0;
            cut_once(data, size, lines, 1);
        }
        free(data);
    }
    printf("%ld\n", done);
    return 0;
}
