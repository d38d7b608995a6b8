from kerascola.cli import main

raise SystemExit(main())
