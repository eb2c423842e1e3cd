# fish completion for heaplog.
set -l subcommands run report compare history plan top doctor
set -l first "not __fish_seen_subcommand_from $subcommands"
set -l running "not __fish_seen_subcommand_from report compare history plan top doctor"

complete -c heaplog -n "$first" -a run -d "run a task runner and show the peaks of its tasks"
complete -c heaplog -n "$first" -a report -d "the peak of each task, largest first"
complete -c heaplog -n "$first" -a compare -d "what grew between two sets of records"
complete -c heaplog -n "$first" -a history -d "the peaks of one task over time"
complete -c heaplog -n "$first" -a plan -d "the highest parallelism that fits a memory"
complete -c heaplog -n "$first" -a top -d "the running tasks, live"
complete -c heaplog -n "$first" -a doctor -d "why no peak is shown"
complete -c heaplog -l help -d "show help"

complete -c heaplog -n "$running" -l summary -x -a "auto always never" -d "a table at the end"
complete -c heaplog -n "$running" -l results -r -d "append a record per task"
complete -c heaplog -n "$running" -l runner -x -a "nx npm turbo all" -d "what a task is"
complete -c heaplog -n "$running" -l interval -x -a "100ms 500ms 1s" -d "time between looks"
complete -c heaplog -n "$running" -l metric -x -a "rss pss" -d "what is summed"
complete -c heaplog -n "$running" -l warn -x -d "mark larger peaks"
complete -c heaplog -n "$running" -l exact -d "follow every process"
complete -c heaplog -n "$running" -l log-heap-usage -d "on, whatever the environment says"
complete -c heaplog -n "$running" -l no-log-heap-usage -d "off"
complete -c heaplog -n "$running" -l version -d "show the version"
complete -c heaplog -n "$running" -a "(__fish_complete_subcommand --fcs-skip=1)"

complete -c heaplog -n "__fish_seen_subcommand_from report" -s f -l format -x -a "text json csv markdown html openmetrics trace" -d format
complete -c heaplog -n "__fish_seen_subcommand_from report" -s s -l sort -x -a "peak name median duration processes runs start" -d order
complete -c heaplog -n "__fish_seen_subcommand_from report" -s n -l top -x -d "only the first"
complete -c heaplog -n "__fish_seen_subcommand_from report" -s p -l processes -d "with processes"
complete -c heaplog -n "__fish_seen_subcommand_from report" -l warn -x -d "mark larger peaks"
complete -c heaplog -n "__fish_seen_subcommand_from report" -l memory -x -d "memory of the machine"
complete -c heaplog -n "__fish_seen_subcommand_from report" -l runs -x -d timelines
complete -c heaplog -n "__fish_seen_subcommand_from report" -s o -l output -r -d "write a file"
complete -c heaplog -n "__fish_seen_subcommand_from compare" -l fail-over -x -d "limit of growth"
complete -c heaplog -n "__fish_seen_subcommand_from compare" -l min-growth -x -d "never fails below"
complete -c heaplog -n "__fish_seen_subcommand_from compare" -s a -l all -d "unchanged tasks too"
complete -c heaplog -n "__fish_seen_subcommand_from compare" -s f -l format -x -a "text markdown json" -d format
complete -c heaplog -n "__fish_seen_subcommand_from history" -s n -l last -x -d "the last runs"
complete -c heaplog -n "__fish_seen_subcommand_from history" -s f -l format -x -a "text csv json" -d format
complete -c heaplog -n "__fish_seen_subcommand_from plan" -s m -l memory -x -d "what the machine has"
complete -c heaplog -n "__fish_seen_subcommand_from plan" -l reserve -x -d "kept for all else"
complete -c heaplog -n "__fish_seen_subcommand_from plan" -l use -x -a "max median upper" -d "which peak"
complete -c heaplog -n "__fish_seen_subcommand_from plan" -s f -l format -x -a "text number json" -d format
complete -c heaplog -n "__fish_seen_subcommand_from top" -l once -d "one table"
complete -c heaplog -n "__fish_seen_subcommand_from top" -l interval -x -a "500ms 1s" -d "time between looks"
complete -c heaplog -n "__fish_seen_subcommand_from top" -l sort -x -a "peak now age name" -d order
