#include "pure/policy_settings.h"
#include "pure/quote.h"
#include <errno.h>

int rpctl_policy_settings_put(json_t *settings, const char *key, const char *value, struct rp_error *error)
{
    struct rpctl_policy checked = rpctl_policy_default;
    int result = rpctl_policy_set(&checked, key, value, error);
    if (result < 0) return result;
    if (json_object_set_new(settings, key, json_string(value)) < 0)
        return rp_error_set(error, -ENOMEM, "out of memory");
    return 0;
}

int rpctl_policy_settings_apply(struct rpctl_policy *policy, json_t *settings, struct rp_error *error)
{
    struct rpctl_policy changed = *policy;
    if (settings && !json_is_object(settings))
        return rp_error_set(error, -EINVAL, "the policy is not a JSON object of strings");
    const char *key;
    json_t *value;
    json_object_foreach(settings, key, value)
    {
        if (!json_is_string(value))
            return rp_error_set(error, -EINVAL, "policy %s: the value is not a string",
                                rpctl_quote(key).text);
        if (rpctl_policy_set(&changed, key, json_string_value(value), error) < 0) return -EINVAL;
    }
    *policy = changed;
    return 0;
}

json_t *rpctl_policy_settings_of(const struct rpctl_policy *policy)
{
    json_t *settings = json_object();
    for (const char *const *key = rpctl_policy_keys; *key; key++) {
        char text[RPCTL_POLICY_TEXT_BYTES];
        if (rpctl_policy_format(policy, *key, text, sizeof text) == 0 &&
            json_object_set_new(settings, *key, json_string(text)) == 0)
            continue;
        json_decref(settings);
        return NULL;
    }
    return settings;
}
