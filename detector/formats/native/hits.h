/* The fields of records that may be hits, and runs of such records that have the same view. */

#include "callers.h"

/* The fields of a hit in addition to its head: the locations of its caller and error message, and
   its identity, which is known if `has_identity`: if its id is a lower-case UUID. */
typedef struct {
    uint32_t caller_start, caller_size, message_start, message_size;
    uint8_t identity[16], has_identity, has_code, unused[2];
} HitFields;

/* Groups of records of a chunk, to be cut into runs. The caller owns and sizes all arrays; there
   must be room for one run per record. */
typedef struct {
    const uint8_t *data;     /* the chunk */
    const int64_t *sizes;    /* of each record of the chunk */
    const HitFields *fields; /* of each record of the chunk */
    int64_t group_count, largest; /* a larger record is a run of its own */
    const int32_t *ends;     /* of each group in `records`, which are indexes of records */
    const int32_t *records;
    int32_t *run_starts, *run_ends; /* of each run in `records` */
    int32_t *run_groups;     /* of each run */
    uint8_t *identities;     /* of each of `records` */
    Callers *callers;        /* 0: callers are not numbered */
    const uint64_t *asked;   /* of each group: its question to callers, as a bit */
    const int32_t *heads;    /* of each group: the number of its head, 0: none */
    int32_t *run_callers;    /* of each run, if its group has a question or a head: its caller */
    int32_t *run_views;      /* and its view; 0: not numbered */
} HitRuns;

/* Return the number of a record's view; 0 if a part of it has no number. */
static int32_t view_of(HitRuns *hits, int32_t head, int32_t caller, const HitFields *fields)
{
    if (!head || !caller) return 0;
    View view = {head, caller, 0, fields->has_code};
    if (fields->message_size) {
        view.message = number_caller(
            hits->callers, hits->data + fields->message_start, fields->message_size);
        if (!view.message) return 0;
    }
    return number_view(hits->callers, &view);
}

static int is_alike(const uint8_t *data, const HitFields *one, const HitFields *other)
{
    return one->caller_size == other->caller_size && one->message_size == other->message_size
        && one->has_code == other->has_code
        && !memcmp(data + one->caller_start, data + other->caller_start, one->caller_size)
        && !memcmp(data + one->message_start, data + other->message_start, one->message_size);
}

/* Cut groups into runs of records whose callers and error messages have the same bytes. Records
   whose caller is known to refuse the group's question are left out. */
static int64_t find_runs(HitRuns *hits)
{
    int64_t run = 0;
    int32_t place = 0;
    for (int64_t group = 0; group < hits->group_count; group++) {
        const HitFields *last = 0; /* of the previous run in this group */
        uint64_t asked = hits->callers ? hits->asked[group] : 0;
        int32_t head = hits->callers ? hits->heads[group] : 0;
        int is_refused = 0;
        for (; place < hits->ends[group]; place++) {
            int32_t record = hits->records[place], caller = 0;
            const HitFields *fields = hits->fields + record;
            int is_known = fields->has_identity && fields->caller_size
                && hits->sizes[record] <= hits->largest;
            memcpy(hits->identities + 16 * (int64_t)place, fields->identity, 16);
            if (is_known && last && is_alike(hits->data, last, fields)) {
                if (!is_refused) hits->run_ends[run - 1] = place + 1;
                continue;
            }
            last = is_known ? fields : 0;
            if ((asked || head) && is_known)
                caller = number_caller(hits->callers, hits->data + fields->caller_start,
                    fields->caller_size);
            is_refused = caller && (hits->callers->refused[caller] & asked);
            if (is_refused) continue;
            hits->run_starts[run] = place;
            hits->run_groups[run] = (int32_t)group;
            hits->run_callers[run] = caller;
            hits->run_views[run] = view_of(hits, head, caller, fields);
            hits->run_ends[run++] = place + 1;
        }
    }
    return run;
}

/* Columns of hits, with room for all records. */
typedef struct {
    uint8_t *identities;
    int64_t *times, *indexes;
    int32_t *kinds;
} HitColumns;

/* Write a row for each record of the runs whose kind is not below 0. Returns the number of rows. */
static int64_t list_hits(
    const HitRuns *hits, int64_t runs, const int32_t *kinds, const int64_t *times, HitColumns *rows)
{
    int64_t row = 0;
    for (int64_t run = 0; run < runs; run++) {
        if (kinds[run] < 0) continue;
        int64_t start = hits->run_starts[run], end = hits->run_ends[run];
        memcpy(rows->identities + 16 * row, hits->identities + 16 * start, (size_t)(16 * (end - start)));
        for (int64_t place = start; place < end; place++, row++) {
            int32_t record = hits->records[place];
            rows->times[row] = times[record];
            rows->indexes[row] = record;
            rows->kinds[row] = kinds[run];
        }
    }
    return row;
}
