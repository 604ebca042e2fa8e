/* Policy settings that somebody gave (a subset of the keys): a JSON object of strings, {"bake": "1s"}, the
 * form in which the command line, a file and a control request hand them on. Pure. */
#ifndef RPCTL_POLICY_SETTINGS_H
#define RPCTL_POLICY_SETTINGS_H

#include "pure/policy.h"
#include <jansson.h>

#define RPCTL_POLICY_FILE_BYTES_MAX 65536

/* Checks the value and puts it into the object, over an earlier one. Errors as rpctl_policy_set, or -ENOMEM.
 */
int rpctl_policy_settings_put(json_t *settings, const char *key, const char *value, struct rp_error *error);

/* Applies every member, or none: -EINVAL when `settings` is no object of strings, names an unknown key or has
 * a bad value. NULL is an empty object. */
int rpctl_policy_settings_apply(struct rpctl_policy *policy, json_t *settings, struct rp_error *error);

/* All keys of a policy as such an object; NULL when memory runs out. The caller's reference. */
json_t *rpctl_policy_settings_of(const struct rpctl_policy *policy);

/* Puts the keys of an INI text (KEY = VALUE lines, no sections; ';' and '#' begin a comment line) into
 * `settings`. -EINVAL with a message that begins with "FILE:LINE: "; then `settings` may have some of them.
 */
int rpctl_policy_settings_parse_ini(json_t *settings, const char *text, const char *file,
                                    struct rp_error *error);

#endif
