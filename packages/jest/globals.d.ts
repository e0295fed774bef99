/// <reference types="@tidybox/jest" />
// For the global hooks of `@types/jest`, whose type is closed to additions. A variable has the type of
// its first declaration, so this file comes before theirs: `"types": ["@tidybox/jest/globals", "jest"]`.
// Theirs is then in error, which needs `skipLibCheck`; without it import the hooks from `@tidybox/jest`.
declare var beforeAll: import("@tidybox/jest").JestWorkerHook;
declare var beforeEach: import("@tidybox/jest").JestHook;
declare var afterEach: import("@tidybox/jest").JestHook;
declare var afterAll: import("@tidybox/jest").JestWorkerHook;
