#ifndef CSVQ_VERSION_H
#define CSVQ_VERSION_H

#define CSVQ_VERSION "1.2.0"

#endif
