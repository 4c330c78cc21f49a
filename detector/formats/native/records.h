/* Reads the records of a chunk, and groups them by the raw bytes of their heads. */

#ifndef RECORDS_H
#define RECORDS_H

#include "hits.h"
#include "seen_callers.h"

#define DECLINED (-1)
#define TOO_SMALL (-2)
#define FULL (-3)
#define NO_TIME INT64_MIN

#define IS(name) (!memcmp(key, name, sizeof name - 1))

static int slot_of_record(const uint8_t *key, int64_t size)
{
    switch (size) {
    case 7: return IS("eventID") ? ID : -1;
    case 8: return IS("readOnly") ? READ_ONLY : -1;
    case 9:
        return IS("eventTime") ? TIME : IS("eventName") ? NAME : IS("awsRegion") ? REGION
            : IS("userAgent") ? AGENT : IS("errorCode") ? ERROR : -1;
    case 11: return IS("eventSource") ? SOURCE : -1;
    case 12: return IS("userIdentity") ? CALLER : IS("errorMessage") ? MESSAGE : -1;
    case 13: return IS("eventCategory") ? CATEGORY : -1;
    case 15: return IS("sourceIPAddress") ? ADDRESS : -1;
    case 18: return IS("recipientAccountId") ? RECIPIENT : -1;
    default: return -1;
    }
}

static int slot_of_caller(const uint8_t *key, int64_t size)
{
    switch (size) {
    case 3: return IS("arn") ? ARN : -1;
    case 9: return IS("accountId") ? ACCOUNT : IS("invokedBy") ? INVOKED_BY : -1;
    case 11: return IS("accessKeyId") ? KEY : -1;
    default: return -1;
    }
}

/* The values that are read from a record, and the entry of its caller; 0 if it has no entry. */
typedef struct {
    Slot slots[FIELDS];
    SeenCaller *caller;
    int was_seen; /* the caller's texts are in its entry, not in slots */
} Fields;

/* Store a value's location in its slot; return whether the slot was empty. */
static inline int put_value(
    const Text *text, Slot *slot, const uint8_t *start, const uint8_t *end)
{
    if (slot->size) return 0;
    slot->start = (uint32_t)(start - text->data);
    slot->size = (uint32_t)(end - start);
    return 1;
}

/* Read the members of a caller at nesting depth `depth`. */
static const uint8_t *read_members(Text *text, const uint8_t *p, Slot *slots, int depth)
{
    int more = open_bracket(text, &p, '}');
    while (more > 0) {
        const uint8_t *key, *start;
        int64_t size;
        if (!(p = read_key(text, p, &key, &size))) return 0;
        int slot = slot_of_caller(key, size);
        start = p;
        if (!(p = skip_value(text, p, depth + 1))) return 0;
        if (slot >= 0 && !put_value(text, slots + slot, start, p)) return 0;
        more = has_more(text, &p, '}');
    }
    return more < 0 ? 0 : p;
}

/* Read a caller, or skip it if it was read in this chunk before. */
static const uint8_t *read_caller(
    Text *text, const uint8_t *start, const Heads *heads, Fields *fields, int depth)
{
    SeenCaller *caller = entry_for_caller(text, heads, start);
    int64_t quotes = text->passed + text->next;
    const uint8_t *p = start;
    fields->caller = caller;
    fields->was_seen = caller && is_caller_here(text, heads, caller, start);
    if (fields->was_seen) skip_seen(text, p += caller->size, caller->quotes);
    else {
        p = read_members(text, p, fields->slots, depth);
        if (p && caller) put_caller(text, caller, start, p, text->passed + text->next - quotes);
    }
    return p && put_value(text, fields->slots + WHOLE_CALLER, start, p) ? p : 0;
}

/* Read a record's fields. */
static const uint8_t *read_fields(Text *text, const uint8_t *p, const Heads *heads, Fields *fields)
{
    int more = open_bracket(text, &p, '}');
    while (more > 0) {
        const uint8_t *key, *start, *end;
        int64_t size;
        if (!(p = read_key(text, p, &key, &size))) return 0;
        int slot = slot_of_record(key, size);
        start = p;
        if (slot == CALLER && p < text->end && *p == '{') {
            if (!(p = read_caller(text, p, heads, fields, 2))) return 0;
            end = start + 1; /* only its brace: its members have slots of their own */
        } else end = p = skip_value(text, p, 2);
        if (!p || (slot >= 0 && !put_value(text, fields->slots + slot, start, end))) return 0;
        more = has_more(text, &p, '}');
    }
    return more < 0 ? 0 : p;
}

static int two_digits(const uint8_t *p)
{
    return p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9' ? -1
        : (p[0] - '0') * 10 + p[1] - '0';
}

/* Return "YYYY-MM-DDTHH:MM:SSZ", with quotes, in seconds since the epoch; else NO_TIME. */
static int64_t parse_time(const uint8_t *p, uint32_t size)
{
    static const uint8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != 22 || p[5] != '-' || p[8] != '-' || p[11] != 'T' || p[14] != ':' || p[17] != ':'
        || p[20] != 'Z')
        return NO_TIME;
    int century = two_digits(p + 1), years = two_digits(p + 3), month = two_digits(p + 6);
    int day = two_digits(p + 9), hour = two_digits(p + 12), minute = two_digits(p + 15);
    int second = two_digits(p + 18);
    if (century < 20 || years < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23
        || minute < 0 || minute > 59 || second < 0 || second > 59)
        return NO_TIME;
    int year = century * 100 + years;
    if (year == 9999) return NO_TIME;
    int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > DAYS[month - 1] + (month == 2 && is_leap)) return NO_TIME;
    int64_t before = year - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162 + day - 1;
    for (int i = 0; i < month - 1; i++) days += DAYS[i];
    if (month > 2) days += is_leap;
    return days * 86400 + hour * 3600 + minute * 60 + second;
}

/* Each hexadecimal digit's value plus one. A table avoids branches, which would be mispredicted, as
   digits of ids are random. */
static const uint8_t DIGITS[256] = {
    ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Read a UUID in lower case, with its quotes, into `identity`; return whether it is one. */
static uint8_t read_uuid(const uint8_t *p, uint32_t size, uint8_t *identity)
{
    uint8_t is_uuid = 1;
    if (size != 38 || *p++ != '"') return 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) is_uuid &= *p++ == '-';
        unsigned high = DIGITS[p[0]], low = DIGITS[p[1]];
        is_uuid &= (uint8_t)(!!high & !!low);
        identity[i] = (uint8_t)((high - 1) << 4 | (low - 1));
        p += 2;
    }
    return is_uuid;
}

/* The results, in arrays that the caller owns and sizes; `capacity` is the number of records that
   fit. */
typedef struct {
    int64_t capacity;
    int64_t *starts, *sizes; /* of each record */
    int64_t *times;          /* of each record, NO_TIME if it has another form */
    int32_t *groups;         /* of each record */
    int32_t *order;          /* the records by group, ascending in each */
    int32_t *ends;           /* of each group in `order` */
    int32_t *numbers;        /* of each group, the number of its head */
    int64_t *firsts, *lasts; /* of each group, its least and greatest time */
    int32_t *incomplete;     /* the records whose heads are not complete */
    HitFields *hit_fields;   /* of each record */
    Heads *heads;            /* 0: the records are not grouped */
    int64_t records, group_count, incomplete_count, untimed, probes;
    int64_t status;          /* why the last call failed */
} Cut;

/* Number the texts of a head in the slots `[first, end)`; return whether all are strings, null or
   absent. */
static int read_texts(
    const Text *text, Cut *cut, const Slot *slots, int first, int end, int32_t *numbers)
{
    for (int i = first; i < end; i++) {
        const uint8_t *p = text->data + slots[i].start;
        int32_t number = 0;
        if (slots[i].size && *p != 'n') {
            if (*p != '"') return 0;
            number = number_text(text, cut->heads, p + 1, slots[i].size - 2, &cut->probes);
            if (number < 0) {
                cut->status = FULL;
                return 0;
            }
        }
        *numbers++ = number;
    }
    return 1;
}

/* Number the texts of an origin; return whether its values have valid types. */
static int read_origin(const Text *text, Cut *cut, const Fields *fields, Origin *origin)
{
    int first = 0;
    if (fields->was_seen) {
        first = CALLER_TEXTS;
        memcpy(origin->texts, fields->caller->origin.texts, sizeof *origin->texts * CALLER_TEXTS);
    }
    return read_texts(text, cut, fields->slots, first, ORIGIN_TEXTS, origin->texts + first);
}

/* Read the head of a record from its values; return whether these have valid types. */
static int read_head(const Text *text, Cut *cut, const Fields *fields, Origin *origin, Call *call)
{
    const uint8_t *data = text->data;
    const Slot *slots = fields->slots;
    uint8_t time = slots[TIME].size ? data[slots[TIME].start] : 'n';
    uint8_t flag = slots[READ_ONLY].size ? data[slots[READ_ONLY].start] : 'n';
    uint8_t caller = slots[CALLER].size ? data[slots[CALLER].start] : 'n';
    call->read_only = flag == 't' ? 2 : flag == 'f';
    origin->has_caller = caller == '{';
    return (time == '"' || time == 'n') && (flag == 't' || flag == 'f' || flag == 'n')
        && (caller == '{' || caller == 'n')
        && read_origin(text, cut, fields, origin)
        && read_texts(text, cut, slots, ORIGIN_TEXTS, TEXTS, call->texts);
}

/* Return whether a text is present and not empty. */
static int says(const Heads *heads, int32_t number)
{
    return number && heads->known[number].size;
}

/* Return whether a head has a source, a name, a region and an identified caller. */
static int is_complete(const Heads *heads, const Origin *origin, const Call *call)
{
    return says(heads, call->texts[SOURCE - ORIGIN_TEXTS]) && says(heads, call->texts[NAME - ORIGIN_TEXTS])
        && says(heads, origin->texts[REGION])
        && (says(heads, origin->texts[ARN]) || says(heads, origin->texts[ACCOUNT])
            || says(heads, origin->texts[KEY]));
}

/* Add a record to the group of its head; return whether it has a valid head. */
static int add_to_group(const Text *text, Cut *cut, const Fields *fields, int64_t time)
{
    Origin origin;
    Call call;
    Heads *heads = cut->heads;
    if (!read_head(text, cut, fields, &origin, &call)) return 0;
    int32_t number = number_head(heads, &origin, fields->caller, &call, &cut->probes);
    if (number < 0) {
        cut->status = FULL;
        return 0;
    }
    if (heads->stamp_of[number] != heads->stamp) {
        heads->stamp_of[number] = (int32_t)heads->stamp;
        heads->group_of[number] = (int32_t)cut->group_count;
        cut->numbers[cut->group_count] = number;
        cut->ends[cut->group_count] = 0;
        cut->firsts[cut->group_count] = INT64_MAX;
        cut->lasts[cut->group_count++] = INT64_MIN;
    }
    int32_t group = heads->group_of[number];
    if (time < cut->firsts[group]) cut->firsts[group] = time;
    if (time > cut->lasts[group]) cut->lasts[group] = time;
    cut->groups[cut->records] = group;
    cut->ends[group]++;
    if (!is_complete(heads, &origin, &call))
        cut->incomplete[cut->incomplete_count++] = (int32_t)cut->records;
    return 1;
}

static const uint8_t *read_record(Text *text, const uint8_t *p, Cut *cut)
{
    Fields fields;
    const Slot *slots = fields.slots;
    const uint8_t *start = p;
    if (p >= text->end || *p != '{') return 0;
    for (int i = 0; i < FIELDS; i++) fields.slots[i].size = 0;
    fields.slots[WHOLE_CALLER].start = fields.slots[MESSAGE].start = 0;
    fields.slots[TIME].start = fields.slots[ID].start = 0;
    fields.caller = 0;
    fields.was_seen = 0;
    if (cut->records >= cut->capacity) {
        cut->status = TOO_SMALL;
        return 0;
    }
    if (!(p = read_fields(text, p, cut->heads, &fields))) return 0;
    int64_t time = parse_time(text->data + slots[TIME].start, slots[TIME].size);
    cut->probes += PROBES_A_RECORD;
    if (cut->heads && !add_to_group(text, cut, &fields, time)) return 0;
    int64_t number = cut->records++;
    cut->untimed += time == NO_TIME;
    cut->starts[number] = start - text->data;
    cut->sizes[number] = p - start;
    cut->times[number] = time;
    HitFields *hit = cut->hit_fields + number;
    memset(hit, 0, sizeof *hit);
    hit->caller_start = slots[WHOLE_CALLER].start;
    hit->caller_size = slots[WHOLE_CALLER].size;
    hit->message_start = slots[MESSAGE].start;
    hit->message_size = slots[MESSAGE].size;
    hit->has_identity = read_uuid(text->data + slots[ID].start, slots[ID].size, hit->identity);
    hit->has_code = slots[ERROR].size > 0;
    return p;
}

static const uint8_t *read_array(Text *text, const uint8_t *p, Cut *cut)
{
    if (p >= text->end || *p != '[') return 0;
    int more = open_bracket(text, &p, ']');
    while (more > 0) {
        if (!(p = read_record(text, p, cut))) return 0;
        more = has_more(text, &p, ']');
    }
    return more < 0 ? 0 : p;
}

static const uint8_t *read_document(Text *text, const uint8_t *p, Cut *cut)
{
    int has_records = 0;
    p = skip_space(text, p);
    if (p < text->end && *p == '[') p = read_array(text, p, cut);
    else if (p < text->end && *p == '{') {
        int more = open_bracket(text, &p, '}');
        while (more > 0) {
            const uint8_t *key;
            int64_t size;
            if (!(p = read_key(text, p, &key, &size))) return 0;
            if (size == 7 && !memcmp(key, "Records", 7)) {
                if (has_records++) return 0;
                p = read_array(text, p, cut);
            } else p = skip_value(text, p, 1);
            if (!p) return 0;
            more = has_more(text, &p, '}');
        }
        if (more < 0 || !has_records) return 0;
    } else return 0;
    return p ? skip_space(text, p) : 0;
}

static const uint8_t *read_lines(Text *text, const uint8_t *p, Cut *cut)
{
    while (p < text->end) {
        p = skip_space(text, p);
        if (p < text->end && *p != '\n') {
            if (!(p = read_record(text, p, cut))) return 0;
            p = skip_space(text, p);
            if (p < text->end && *p != '\n') return 0;
        }
        if (p < text->end) p++;
    }
    return text->end;
}

/* Sort the records by group (counting sort). */
static void sort_by_group(Cut *cut)
{
    int32_t start = 0;
    for (int64_t group = 0; group < cut->group_count; group++) {
        int32_t size = cut->ends[group];
        cut->ends[group] = start;
        start += size;
    }
    for (int64_t number = 0; number < cut->records; number++)
        cut->order[cut->ends[cut->groups[number]]++] = (int32_t)number;
}

/* Cut `size` bytes. Returns the number of records; DECLINED; TOO_SMALL if they exceed the capacity;
   or FULL if the tables that are kept from chunk to chunk have no room. */
static int64_t cut_text(const uint8_t *data, int64_t size, int32_t lines, Cut *cut)
{
    static const Heads none = {0};
    const Heads before = cut->heads ? *cut->heads : none;
    Text text;
    if (size < 0 || size > UINT32_MAX || cut->capacity > INT32_MAX) return DECLINED;
    begin_text(&text, data, size, lines);
    cut->records = cut->group_count = cut->incomplete_count = cut->untimed = 0;
    cut->probes = PROBES_A_RECORD * PROBES_A_RECORD;
    cut->status = DECLINED;
    if (cut->heads && ++cut->heads->stamp >= INT32_MAX) return FULL;
    const uint8_t *p = lines ? read_lines(&text, data, cut) : read_document(&text, data, cut);
    if (p != text.end) {
        if (cut->heads) forget_since(cut->heads, &before);
        return cut->status;
    }
    if (cut->heads) sort_by_group(cut);
    return cut->records;
}

#endif
