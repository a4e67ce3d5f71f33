package main

import "github.com/spf13/cobra"

// commands lists what rollcall can do, in the order of its help.
func (c *cli) commands() []*cobra.Command {
	return []*cobra.Command{
		c.initCommand(),
		c.runCommand(),
		c.demoCommand(),
		c.sandboxCommand(),
		c.planCommand(),
		c.whichCommand(),
		c.taskCommand(),
		c.siteCommand(),
		c.hoolaCommand(),
		c.humanCommand(),
		c.accountsCommand(),
		c.backupCommand(),
		c.secretsCommand(),
		c.configCommand(),
		c.driverCommand(),
		c.doctorCommand(),
		c.workerCommand(),
		c.versionCommand(),
	}
}
