#include <skrfs/http/http.h>
